using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.AspNetCore;

/// <summary>Which sessions an endpoint names: by what it says of them, and by the parameters of its handler, its controller or its page.</summary>
internal static class SessionNames
{
    public static HashSet<string> Of(Endpoint endpoint)
    {
        HashSet<string> names =
        [
            .. endpoint.Metadata.GetOrderedMetadata<SessionUseAttribute>().Select(said => said.Session),
            .. endpoint.Metadata.GetOrderedMetadata<SessionRequirementAttribute>().Select(required => required.Session),
        ];
        if (endpoint.Metadata.GetMetadata<MethodInfo>() is { } handler)
        {
            names.UnionWith(Of(handler.GetParameters()));
        }

        if (endpoint.Metadata.GetMetadata<ControllerActionDescriptor>() is { } action)
        {
            names.UnionWith(Of(action.MethodInfo.GetParameters()));
            names.UnionWith(OfType(action.ControllerTypeInfo));
        }

        if (endpoint.Metadata.GetMetadata<CompiledPageActionDescriptor>() is { } page)
        {
            names.UnionWith(page.HandlerMethods.SelectMany(method => Of(method.MethodInfo.GetParameters())));
            names.UnionWith(OfType(page.HandlerTypeInfo));
        }

        return names;
    }

    private static IEnumerable<string> Of(ParameterInfo[] parameters) => parameters.SelectMany(parameter =>
        parameter.IsDefined(typeof(AsParametersAttribute)) ? OfType(parameter.ParameterType) : NameOf(parameter.ParameterType, parameter));

    /// <summary>What a controller, a page or a bag of parameters is made with.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Whoever binds these members keeps them; of one that was trimmed nothing is bound.")]
    private static IEnumerable<string> OfType(Type type) =>
    [
        .. type.GetConstructors().SelectMany(constructor => Of(constructor.GetParameters())),
        .. type.GetProperties().SelectMany(property => NameOf(property.PropertyType, property)),
    ];

    private static IEnumerable<string> NameOf(Type type, ICustomAttributeProvider member) =>
        type == typeof(Session) ? [KeyOf(member)]
        : type.IsGenericType && type.GetGenericTypeDefinition() == typeof(SessionEntry<>) ? [""]
        : member.IsDefined(typeof(FromSessionAttribute), inherit: true) ? [""]
        : [];

    private static string KeyOf(ICustomAttributeProvider member) =>
        member.GetCustomAttributes(typeof(FromKeyedServicesAttribute), inherit: true) is [FromKeyedServicesAttribute { Key: string key }] ? key : "";
}
