using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Sojourn.AspNetCore;

/// <summary>Takes a parameter of an MVC action or Razor page handler from the session's entry of its name.</summary>
/// <remarks>An entry that cannot be read as the parameter's type is a <see cref="SessionEntryException"/>, never a silent default.</remarks>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class FromSessionAttribute : ModelBinderAttribute
{
    /// <summary>Binds by the session.</summary>
    public FromSessionAttribute()
        : base(typeof(SessionEntryBinder)) => BindingSource = BindingSource.Custom;
}

internal sealed class SessionEntryBinder : IModelBinder
{
    public Task BindModelAsync(ModelBindingContext bindingContext)
    {
        var name = bindingContext.BinderModelName ?? bindingContext.FieldName;
        if (bindingContext.HttpContext.GetSession().GetObject(name, bindingContext.ModelType) is { } value)
        {
            bindingContext.Result = ModelBindingResult.Success(value);
        }

        return Task.CompletedTask;
    }
}
