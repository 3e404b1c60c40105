using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sojourn.Dashboard.Pages;

/// <summary>
/// Renders components on the server. What they show is all the services they have: the application registers nothing for them, and components of its own do not
/// get in their way.
/// </summary>
internal static class PageWriter
{
    public static async Task WriteAsync<TPage>(HttpContext context, int status, params object[] models)
        where TPage : IComponent
    {
        var html = await RenderAsync<TPage>(context.RequestServices, models).ConfigureAwait(false);
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        await context.Response.WriteAsync("<!DOCTYPE html>\n" + html, context.RequestAborted).ConfigureAwait(false);
    }

    public static async Task<string> RenderAsync<TComponent>(IServiceProvider services, params object[] models)
        where TComponent : IComponent
    {
        var renderer = new HtmlRenderer(new PageServices(models), services.GetRequiredService<ILoggerFactory>());
        await using (renderer.ConfigureAwait(false))
        {
            return await renderer.Dispatcher.InvokeAsync(async () =>
            {
                // It is read by the dispatcher, as it was written.
                var root = await renderer.RenderComponentAsync<TComponent>().ConfigureAwait(true);
                return root.ToHtmlString();
            }).ConfigureAwait(false);
        }
    }

    private sealed class PageServices(object[] models) : IServiceProvider
    {
        public object? GetService(Type serviceType) => Array.Find(models, model => model.GetType() == serviceType);
    }
}
