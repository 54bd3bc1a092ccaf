using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// ResNet-18 as Microsoft's CNTK trained it on ImageNet and ML.NET publishes it, as an ordinary package under the MIT license: He et al. 2015,
/// arXiv:1512.03385, with a third block in the last stage, an average over 7×7 pixels at its end and no classification head. Of padding,
/// the odd pixel stands first. Layers are named as torchvision's ResNet names them.
/// </summary>
public static class CntkResNet
{
    internal const string FullName = $"resnet18.{BackboneSource.Cntk}";

    private const double Epsilon = 1e-5, Momentum = 1 - 0.98834967613;

    private static readonly (int Filters, int Stride, int Blocks)[] Stages = [(64, 1, 2), (128, 2, 2), (256, 2, 2), (512, 2, 3)];

    internal static Network Build()
    {
        var builder = new NetworkBuilder("resnet18");
        var x = builder.Input("input", channels: 3, size: 224)
            .Convolution("conv1", 64, kernel: 7, stride: 2, Padding.SameOddFirst, bias: false).Norm("bn1").Relu("relu")
            .MaxPool("maxpool", kernel: 3, stride: 2, Padding.SameOddFirst);
        for (var stage = 0; stage < Stages.Length; stage++)
            for (var block = 0; block < Stages[stage].Blocks; block++)
                x = Block(x, $"layer{stage + 1}.{block}", Stages[stage].Filters, block == 0 ? Stages[stage].Stride : 1);
        return builder.Build(x.GlobalPool("avgpool").Dropout("head_drop", 0));
    }

    private static Node Block(Node input, string block, int filters, int stride)
    {
        var residual = input
            .Convolution($"{block}.conv1", filters, kernel: 3, stride, Padding.SameOddFirst, bias: false).Norm($"{block}.bn1").Relu($"{block}.relu1")
            .Convolution($"{block}.conv2", filters, kernel: 3, padding: Padding.SameOddFirst, bias: false).Norm($"{block}.bn2");
        var shortcut = stride == 1
            ? input
            : input.Convolution($"{block}.downsample.0", filters, kernel: 1, stride, bias: false).Norm($"{block}.downsample.1");
        return residual.Add($"{block}.add", shortcut).Relu($"{block}.relu");
    }

    private static Node Norm(this Node x, string layer) => x.BatchNorm(layer, Epsilon, Momentum);

    /// <summary>CNTK numbers its nodes: a convolution, and two later its batch norm, from one convolution to the next.</summary>
    private static Dictionary<string, string> NodeNames()
    {
        var names = new Dictionary<string, string>();
        Add("conv1", "bn1", 249);
        var number = 257;
        for (var stage = 0; stage < Stages.Length; stage++)
            for (var block = 0; block < Stages[stage].Blocks; block++)
            {
                var (name, isProjected) = ($"layer{stage + 1}.{block}", block == 0 && Stages[stage].Stride > 1);
                Add($"{name}.conv1", $"{name}.bn1", number);
                Add($"{name}.conv2", $"{name}.bn2", number + 6);
                if (isProjected) Add($"{name}.downsample.0", $"{name}.downsample.1", number + 10);
                number += isProjected ? 18 : 14;
            }
        return names;

        void Add(string convolution, string norm, int first)
        {
            names.Add(convolution, $"Convolution{first}");
            names.Add(norm, $"BatchNormalization{first + 2}");
        }
    }

    public static PretrainedWeights ImageNet => BackboneCatalog.WeightsOf("resnet18.cntk/imagenet");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "resnet18",
            Source = BackboneSource.Cntk,
            Paper = "He et al. 2015, arXiv:1512.03385",
            Build = Build,
            OtherNames = [NodeNames()],
            Head = "avgpool",
            PublishedParameters = 15_897_152,
            Weights =
            [
                new()
                {
                    Tag = "imagenet",
                    Bundled = new("ResNet18.onnx", "Microsoft.ML.DnnImageFeaturizer.ResNet18"),
                    // The package subtracts a mean image (ResNetPreprocess.onnx), whose channel means are 103.06, 115.90 and 123.15. Neither that image
                    // nor those means change the accuracy of what is trained on the features: ImageNet's usual means do.
                    Preprocessing = Preprocessing.KerasCaffe(224, Interpolation.Bilinear),
                    License = "MIT",
                },
            ],
        },
    ];
}
