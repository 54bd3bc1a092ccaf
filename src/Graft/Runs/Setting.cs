using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json.Serialization;
using Graft.Classifiers;
using Graft.Transfer;

namespace Graft.Runs;

/// <summary>A property of <see cref="TrainingRequest"/> with what is declared of it.</summary>
/// <param name="Property">The property.</param>
/// <param name="Declared">Its attribute.</param>
public sealed record Setting(PropertyInfo Property, SettingAttribute Declared)
{
    /// <summary>All, in the order of declaration.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        .. typeof(TrainingRequest).GetProperties().OrderBy(property => property.MetadataToken)
            .Select(property => (property, Declared: property.GetCustomAttribute<SettingAttribute>()))
            .Where(entry => entry.Declared is not null).Select(entry => new Setting(entry.property, entry.Declared!)),
    ];

    /// <summary>As the property is called: <c>LearningRate</c>.</summary>
    public string Name => Property.Name;

    /// <summary>In JSON: <c>learning_rate</c>.</summary>
    public string JsonName { get; } =
        Property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? RunFolder.Json.PropertyNamingPolicy!.ConvertName(Property.Name);

    /// <summary>On the command line: <c>--learning-rate</c>, or <c>--no-standardize</c>.</summary>
    public string Option { get; } = Declared.Option ?? $"--{(Declared.IsNegative ? "no-" : "")}{Kebab(Property.Name)}";

    public IReadOnlyList<string> Aliases { get; } = Declared.Aliases.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Without null.</summary>
    public Type Type { get; } = Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

    /// <summary>The values it may have; null where these are not named.</summary>
    public IReadOnlyList<string>? Choices { get; } = ChoicesOf(Property);

    /// <summary>Null without one.</summary>
    public RangeAttribute? Range { get; } = Property.GetCustomAttribute<RangeAttribute>()
        ?? Declared.Of?.GetProperty(Declared.OfProperty ?? Property.Name)?.GetCustomAttribute<RangeAttribute>();

    public object? ValueIn(TrainingRequest request) => Property.GetValue(request);

    public static Setting Named(string property) => All.First(setting => setting.Name == property);

    private static string[]? ChoicesOf(PropertyInfo property)
    {
        if (property.Name == nameof(TrainingRequest.Classifier)) return [TrainingRequest.Softmax, AutomaticClassifier.CatalogName, .. ClassifierCatalog.Names];
        if (property.Name == nameof(TrainingRequest.Method)) return [.. TransferCatalog.Names];
        if (property.GetCustomAttribute<AllowedValuesAttribute>() is { } allowed) return [.. allowed.Values.OfType<string>()];
        var type = Nullable.GetUnderlyingType(property.PropertyType);
        return type is { IsEnum: true } ? [.. Enum.GetNames(type).Select(name => name.ToLowerInvariant())] : null;
    }

    private static string Kebab(string name) => DeclaredRanges.Words(name).Replace(' ', '-');
}
