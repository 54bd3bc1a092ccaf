using Graft.Imaging;

namespace Graft.Backbones;

/// <summary>
/// The backbone that is part of Graft: MobileNetV2 of width 0.5, trained for Graft from random weights on a public copy of Tiny
/// ImageNet (202 classes, 64×64 photos). A starting point that works with no network connection, not a substitute for
/// published ImageNet weights.
/// </summary>
public static class EmbeddedBackbone
{
    public const string Name = "graft_mobilenet_v2_050";

    internal const string Resource = Name + ".safetensors";

    public static PretrainedWeights TinyImageNet => BackboneCatalog.WeightsOf("graft_mobilenet_v2_050.graft/tiny_imagenet");

    internal static BackboneDefinition Definition { get; } = new()
    {
        Name = Name,
        Source = BackboneSource.Graft,
        Paper = "Sandler et al. 2018, arXiv:1801.04381",
        Build = () => MobileNetV2.Build(0.5, classes: 202, imageSizePixels: 128),
        Head = "avgpool",
        PublishedParameters = 946_442,
        Weights =
        [
            new()
            {
                Tag = "tiny_imagenet",
                Preprocessing = Preprocessing.KerasTorch(128, Interpolation.Bilinear),
                Classes = [.. ClassNames.Lines($"{Name}.classes.txt").Select(line => line.Split('\t')[1])],
                License = "MIT",
            },
        ],
    };
}
