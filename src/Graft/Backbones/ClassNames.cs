namespace Graft.Backbones;

/// <summary>What the outputs of published networks are called.</summary>
public static class ClassNames
{
    private static readonly Lazy<IReadOnlyList<string>> ImageNetNames = new(() => Lines("imagenet_classes.txt"));

    /// <summary>The 1,000 classes of ILSVRC 2012 in index order, as torchvision names them.</summary>
    public static IReadOnlyList<string> ImageNet => ImageNetNames.Value;

    internal static IReadOnlyList<string> Lines(string resource)
    {
        using var reader = new StreamReader(Resource(resource));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    internal static Stream Resource(string name) =>
        typeof(ClassNames).Assembly.GetManifestResourceStream($"Graft.Backbones.{name}")
        ?? throw new InvalidOperationException($"The resource {name} is missing from the assembly.");
}
