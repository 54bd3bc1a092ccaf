using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// AlexNet, Krizhevsky 2014, arXiv:1404.5997 ("one weird trick"), the one-column variant; torchvision's definition
/// (torchvision/models/alexnet.py).
/// </summary>
public static class AlexNet
{
    internal static Network Build()
    {
        var builder = new NetworkBuilder("alexnet");
        return builder.Build(builder.Input("input", channels: 3, size: 224)
            .Convolution("features.0", 64, kernel: 11, stride: 4, padding: 2).Relu("features.1")
            .MaxPool("features.2", kernel: 3, stride: 2)
            .Convolution("features.3", 192, kernel: 5, padding: 2).Relu("features.4")
            .MaxPool("features.5", kernel: 3, stride: 2)
            .Convolution("features.6", 384, kernel: 3, padding: 1).Relu("features.7")
            .Convolution("features.8", 256, kernel: 3, padding: 1).Relu("features.9")
            .Convolution("features.10", 256, kernel: 3, padding: 1).Relu("features.11")
            .MaxPool("features.12", kernel: 3, stride: 2)
            .AdaptiveAveragePool("avgpool", 6).Flatten("flatten")
            .Dropout("classifier.0", 0.5).Dense("classifier.1", 4096).Relu("classifier.2")
            .Dropout("classifier.3", 0.5).Dense("classifier.4", 4096).Relu("classifier.5")
            .Dense("classifier.6", 1000));
    }

    public static PretrainedWeights ImageNetV1 => BackboneCatalog.WeightsOf("alexnet.torchvision/imagenet_v1");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "alexnet",
            Source = BackboneSource.Torchvision,
            Paper = "Krizhevsky 2014, arXiv:1404.5997",
            Build = Build,
            Head = "avgpool",
            PublishedParameters = 61_100_840,
            Weights = [PretrainedWeights.Torchvision("alexnet-owt-7be5be79.pth", 56.522, 79.066)],
        },
    ];
}
