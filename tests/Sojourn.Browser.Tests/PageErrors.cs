using Microsoft.Playwright;

namespace Sojourn.Browser.Tests;

/// <summary>What a page complains of to whoever develops it.</summary>
internal static class PageErrors
{
    public static void CollectErrors(this IPage page, List<string> errors)
    {
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                errors.Add($"{page.Url}: {message.Text}");
            }
        };
        page.PageError += (_, error) => errors.Add($"{page.Url}: {error}");
    }
}
