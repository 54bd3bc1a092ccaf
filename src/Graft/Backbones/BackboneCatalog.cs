using System.IO.Enumeration;

namespace Graft.Backbones;

/// <summary>Every network that Graft knows by name.</summary>
public static class BackboneCatalog
{
    /// <summary>The entries; of several with one name, the first is what the plain name means.</summary>
    public static IReadOnlyList<BackboneDefinition> All { get; } = Register(
    [
        ("Graft", [EmbeddedBackbone.Definition]),
        ("MobileNet", [.. MobileNetV1.Variants, .. MobileNetV2.Variants, .. MobileNetV3.Variants, .. MobileNetV4.Variants]),
        ("SqueezeNet", SqueezeNet.Variants),
        ("ShuffleNet", ShuffleNetV2.Variants),
        ("MNASNet", MnasNet.Variants),
        ("EfficientNet", [.. EfficientNet.Variants, .. KerasEfficientNet.Variants]),
        ("ResNet", [.. ResNet.Variants, .. CntkResNet.Variants]),
        ("DenseNet", DenseNet.Variants),
        ("RegNet", RegNet.Variants),
        ("ConvNeXt", [.. ConvNeXt.Variants, .. KerasConvNeXt.Variants]),
        ("Inception", [.. InceptionV3.Variants, .. Xception.Variants, .. GoogLeNet.Variants, .. InceptionResNetV2.Variants]),
        ("NASNet", NasNet.Variants),
        ("Vision Transformer", [.. DinoV2.Variants, .. VisionTransformer.Variants, .. DeiT.Variants, .. SwinTransformer.Variants, .. Clip.Variants, .. SigLip.Variants]),
        ("VGG", [.. Vgg.Variants, .. AlexNet.Variants]),
    ]);

    /// <summary>Short names for a choice: what each stands for, and why.</summary>
    public static IReadOnlyList<(string Alias, string FullName, string Reason)> Aliases { get; } =
    [
        ("tiny", EmbeddedBackbone.Definition.FullName, "2 MB, part of Graft: tries things out in seconds"),
        ("fast", $"mobilenet_v3_large.{BackboneSource.Torchvision}", "the least work for its accuracy: 5.5 million parameters"),
        ("accurate", $"convnext_tiny.{BackboneSource.Torchvision}", "the best accuracy that a CPU fine-tunes in reasonable time"),
    ];

    /// <summary>
    /// The backbone that is used when none is named: ResNet-18 with ImageNet's weights where the build brought its file along, else the small
    /// one that is part of Graft's assembly. Neither needs a network connection.
    /// </summary>
    public static string Default { get; } = Find(CntkResNet.FullName).Weights[0].IsPartOfGraft ? CntkResNet.FullName : EmbeddedBackbone.Name;

    /// <summary>
    /// Finds an entry by name (<c>mobilenet_v2</c>), by name and source (<c>resnet50.keras</c>), or by one of <see cref="Aliases"/>; with a tag after a
    /// slash (<c>resnet50.torchvision/imagenet_v2</c>), those weights are the entry's usual ones.
    /// </summary>
    /// <exception cref="UnknownBackboneException">There is none; the message lists similar names.</exception>
    /// <exception cref="GraftException">The network has no weights of that tag; the message lists those that it has.</exception>
    public static BackboneDefinition Find(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var entry = Entry(slash < 0 ? name : name[..slash]) ?? throw new UnknownBackboneException(name);
        return slash < 0 ? entry : entry.Tagged(name[(slash + 1)..]);
    }

    /// <summary>
    /// The entries that each of these words fits: as a part of the full name or the family, in any case, or with * and ? as a pattern for the name or the
    /// full name (<c>efficientnet*</c>); or as an alias.
    /// </summary>
    public static IReadOnlyList<BackboneDefinition> Matching(IEnumerable<string> words)
    {
        var wanted = words.ToList();
        return [.. All.Where(entry => wanted.All(word => Fits(entry, word)))];

        static bool Fits(BackboneDefinition entry, string word) =>
            word.AsSpan().ContainsAny('*', '?')
                ? FileSystemName.MatchesSimpleExpression(word, entry.Name) || FileSystemName.MatchesSimpleExpression(word, entry.FullName)
                : entry.FullName.Contains(word, StringComparison.OrdinalIgnoreCase) || entry.Family.Contains(word, StringComparison.OrdinalIgnoreCase)
                  || Aliases.Any(alias => alias.Alias == word && alias.FullName == entry.FullName);
    }

    /// <summary>Weights by the network's full name and their tag.</summary>
    internal static PretrainedWeights WeightsOf(string fullName) => Find(fullName).Weights[0];

    public static bool Contains(string name) =>
        name.Split('/', 2) is var parts && Entry(parts[0]) is { } entry && (parts.Length == 1 || entry.Weights.Any(weights => weights.Tag == parts[1]));

    private static BackboneDefinition? Entry(string name)
    {
        var fullName = Aliases.FirstOrDefault(alias => alias.Alias == name).FullName ?? name;
        return All.FirstOrDefault(entry => entry.FullName == fullName) ?? All.FirstOrDefault(entry => entry.Name == fullName);
    }

    private static List<BackboneDefinition> Register(IEnumerable<(string Family, IEnumerable<BackboneDefinition> Entries)> families)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var all = new List<BackboneDefinition>();
        foreach (var (family, entries) in families)
        {
            foreach (var entry in entries)
            {
                if (!names.Add(entry.FullName)) throw new InvalidOperationException($"Two backbones are called '{entry.FullName}'.");
                all.Add(entry with { Family = family, Weights = [.. entry.Weights.Select(weights => weights with { Network = entry.FullName })] });
            }
        }
        return all;
    }
}

/// <summary>A name that is not in the catalog.</summary>
public sealed class UnknownBackboneException : GraftException
{
    public UnknownBackboneException(string name)
        : base(File.Exists(name)
            ? $"{name} is a file, and the name of a network is expected: name the network that it holds the weights of, and the file as its weights."
            : $"There is no backbone '{name}'.{Suggestion(name)}") =>
        (Code, Remedy) = ("unknown-backbone", $"{nameof(BackboneCatalog)}.{nameof(BackboneCatalog.All)} lists them all.");

    private static string Suggestion(string name)
    {
        var stem = name.Split('_', '-', '.')[0];
        var near = BackboneCatalog.All.Select(entry => entry.Name).Distinct()
            .Where(known => known.StartsWith(stem, StringComparison.OrdinalIgnoreCase)).Take(6).ToList();
        return near.Count > 0 ? $" Did you mean {string.Join(", ", near)}?" : "";
    }
}
