namespace Graft.Backbones;

/// <summary>Every network that Graft knows by name.</summary>
public static class BackboneCatalog
{
    /// <summary>The backbone that is used when none is named: small, part of Graft, and there without a network connection.</summary>
    public const string Default = EmbeddedBackbone.Name;

    /// <summary>The entries; of several with one name, the first is what the plain name means.</summary>
    public static IReadOnlyList<BackboneDefinition> All { get; } = Register(
    [
        EmbeddedBackbone.Definition,
        .. MobileNetV1.Variants,
        .. MobileNetV2.Variants,
        .. MobileNetV3.Variants,
        .. SqueezeNet.Variants,
        .. EfficientNet.Variants,
        .. ResNet.Variants,
        .. ConvNeXt.Variants,
        .. InceptionV3.Variants,
        .. Xception.Variants,
        .. DinoV2.Variants,
        .. Vgg.Variants,
        .. AlexNet.Variants,
    ]);

    /// <summary>Finds an entry by name (<c>mobilenet_v2</c>) or name and source (<c>resnet50.keras</c>).</summary>
    /// <exception cref="UnknownBackboneException">There is none; the message lists similar names.</exception>
    public static BackboneDefinition Find(string name) =>
        All.FirstOrDefault(entry => entry.FullName == name)
        ?? All.FirstOrDefault(entry => entry.Name == name)
        ?? throw new UnknownBackboneException(name);

    public static bool Contains(string name) => All.Any(entry => entry.FullName == name || entry.Name == name);

    private static List<BackboneDefinition> Register(List<BackboneDefinition> entries)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in entries)
            if (!names.Add(entry.FullName)) throw new InvalidOperationException($"Two backbones are called '{entry.FullName}'.");
        return entries;
    }
}

/// <summary>A name that is not in the catalogue.</summary>
public sealed class UnknownBackboneException(string name) : GraftException(
    $"There is no backbone '{name}'. {Suggestion(name)}`graft models` lists them all.")
{
    private static string Suggestion(string name)
    {
        var stem = name.Split('_', '-', '.')[0];
        var near = BackboneCatalog.All.Select(entry => entry.Name).Distinct()
            .Where(known => known.StartsWith(stem, StringComparison.OrdinalIgnoreCase)).Take(6).ToList();
        return near.Count > 0 ? $"Did you mean {string.Join(", ", near)}? " : "";
    }
}
