using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Backbones;

/// <summary>
/// NASNet-A, Zoph et al. 2017, arXiv:1707.07012, figure 4; Keras's definition (keras/src/applications/nasnet.py). Each cell sees the outputs of the two
/// before it.
/// </summary>
public static class NasNet
{
    private const double Epsilon = 1e-3, Momentum = 0.0003;

    /// <summary>A map with what a cell has to know of it.</summary>
    /// <param name="Halvings">How often the image was halved.</param>
    private readonly record struct Map(Node Node, int Channels, int Halvings);

    /// <param name="skipsReduction">Whether the cell after a reduction sees what was before it, rather than its input.</param>
    private static Network Build(string name, int size, int stem, int penultimate, int repeats, bool skipsReduction)
    {
        var filters = penultimate / 24;
        var first = new NetworkBuilder(name).Input("input_1", channels: 3, size)
            .Convolution("stem_conv1", stem, kernel: 3, stride: 2, bias: false).Norm("stem_bn1");
        var (x, before) = (new Map(first, stem, 0), (Map?)null);
        (x, before) = (Reduction(x, before, filters / 4, "stem_1"), x);
        (x, before) = (Reduction(x, before, filters / 2, "stem_2"), x);
        for (var stage = 0; stage < 3; stage++)
        {
            if (stage > 0)
            {
                filters *= 2;
                var reduced = Reduction(x, before, filters, $"reduce_{stage * repeats}");
                (x, before) = (reduced, skipsReduction ? before : x);
            }
            for (var cell = 0; cell < repeats; cell++) (x, before) = (Normal(x, before!.Value, filters, $"{stage * (repeats + 1) + cell}"), x);
        }
        return x.Node.Builder.Build(
            x.Node.Relu(first.Builder.Numbered("activation")).GlobalPool("global_average_pooling2d").Dense("predictions", 1000).Softmax("predictions_softmax"), LayerOrder.Keras);
    }

    private static Map Normal(Map input, Map before, int filters, string cell)
    {
        var p = Adjusted(before, input, filters, cell);
        var h = input.Node.Relu(Numbered("activation")).Convolution($"normal_conv_1_{cell}", filters, kernel: 1, bias: false).Norm($"normal_bn_1_{cell}");
        Node[] parts =
        [
            h.Separable($"normal_left1_{cell}", filters, 5).Add($"normal_add_1_{cell}", p.Separable($"normal_right1_{cell}", filters, 3)),
            p.Separable($"normal_left2_{cell}", filters, 5).Add($"normal_add_2_{cell}", p.Separable($"normal_right2_{cell}", filters, 3)),
            h.Average($"normal_left3_{cell}").Add($"normal_add_3_{cell}", p),
            p.Average($"normal_left4_{cell}").Add($"normal_add_4_{cell}", p.Average($"normal_right4_{cell}")),
            h.Separable($"normal_left5_{cell}", filters, 3).Add($"normal_add_5_{cell}", h),
        ];
        return new(p.Concatenate($"normal_concat_{cell}", parts), 6 * filters, input.Halvings);

        string Numbered(string kind) => input.Node.Builder.Numbered(kind);
    }

    private static Map Reduction(Map input, Map? before, int filters, string cell)
    {
        var builder = input.Node.Builder;
        var p = before is { } earlier ? Adjusted(earlier, input, filters, cell) : input.Node;
        var h = input.Node.Relu(builder.Numbered("activation")).Convolution($"reduction_conv_1_{cell}", filters, kernel: 1, bias: false).Norm($"reduction_bn_1_{cell}");
        var padded = h.SamePadding($"reduction_pad_1_{cell}", kernel: 3, stride: 2);
        var x1 = h.Separable($"reduction_left1_{cell}", filters, 5, stride: 2)
            .Add($"reduction_add_1_{cell}", p.Separable($"reduction_right1_{cell}", filters, 7, stride: 2));
        var x2 = padded.MaxPool($"reduction_left2_{cell}", kernel: 3, stride: 2)
            .Add($"reduction_add_2_{cell}", p.Separable($"reduction_right2_{cell}", filters, 7, stride: 2));
        var x3 = padded.AveragePool($"reduction_left3_{cell}", kernel: 3, stride: 2)
            .Add($"reduction_add3_{cell}", p.Separable($"reduction_right3_{cell}", filters, 5, stride: 2));
        var x4 = x2.Add(builder.Numbered("add"), x1.Average($"reduction_left4_{cell}"));
        var x5 = x1.Separable($"reduction_left4_{cell}", filters, 3).Add($"reduction_add4_{cell}", padded.MaxPool($"reduction_right5_{cell}", kernel: 3, stride: 2));
        return new(x2.Concatenate($"reduction_concat_{cell}", x3, x4, x5), 4 * filters, input.Halvings + 1);
    }

    /// <summary>The output of the cell before the last in the size of the last one's, with as many channels as are asked for.</summary>
    private static Node Adjusted(Map before, Map input, int filters, string cell)
    {
        var (x, builder) = (before.Node, before.Node.Builder);
        if (before.Halvings != input.Halvings)
        {
            x = x.Relu($"adjust_relu_1_{cell}");
            var even = x.AveragePool($"adjust_avg_pool_1_{cell}", kernel: 1, stride: 2).Convolution($"adjust_conv_1_{cell}", filters / 2, kernel: 1, bias: false);
            // The pixels between: one row and column further.
            var odd = x.ZeroPadding(builder.Numbered("zero_padding2d"), new(0, 1, 0, 1)).ZeroPadding(builder.Numbered("cropping2d"), new(-1, 0, -1, 0))
                .AveragePool($"adjust_avg_pool_2_{cell}", kernel: 1, stride: 2).Convolution($"adjust_conv_2_{cell}", filters / 2, kernel: 1, bias: false);
            return even.Concatenate(builder.Numbered("concatenate"), odd).Norm($"adjust_bn_{cell}");
        }
        return before.Channels == filters ? x
            : x.Relu(builder.Numbered("activation")).Convolution($"adjust_conv_projection_{cell}", filters, kernel: 1, bias: false).Norm($"adjust_bn_{cell}");
    }

    /// <summary>Twice: ReLU, separable convolution, batch norm.</summary>
    private static Node Separable(this Node x, string block, int filters, int kernel, int stride = 1)
    {
        x = x.Relu(x.Builder.Numbered("activation"));
        x = stride == 1
            ? x.SeparableConvolution($"separable_conv_1_{block}", filters, kernel)
            : x.SamePadding($"separable_conv_1_pad_{block}", kernel, stride).SeparableConvolution($"separable_conv_1_{block}", filters, kernel, stride, Padding.None);
        return x.Norm($"separable_conv_1_bn_{block}").Relu(x.Builder.Numbered("activation"))
            .SeparableConvolution($"separable_conv_2_{block}", filters, kernel).Norm($"separable_conv_2_bn_{block}");
    }

    private static Node Average(this Node x, string layer) => x.AveragePool(layer, kernel: 3, stride: 1, Padding.Same);

    private static Node Norm(this Node x, string layer) => x.BatchNorm(layer, Epsilon, Momentum);

    public static PretrainedWeights Mobile => BackboneCatalog.WeightsOf("nasnet_mobile.keras/imagenet");

    public static PretrainedWeights MobileNoTop => BackboneCatalog.WeightsOf("nasnet_mobile.keras/imagenet_notop");

    public static PretrainedWeights Large => BackboneCatalog.WeightsOf("nasnet_large.keras/imagenet");

    public static PretrainedWeights LargeNoTop => BackboneCatalog.WeightsOf("nasnet_large.keras/imagenet_notop");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("mobile", 224, stem: 32, penultimate: 1056, repeats: 4, skipsReduction: false, 5_326_716, 74.4, 91.9,
            "020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63"),
        Entry("large", 331, stem: 96, penultimate: 4032, repeats: 6, skipsReduction: true, 88_949_818, 82.5, 96.0,
            "11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5"),
    ];

    private static BackboneDefinition Entry(
        string size, int imageSizePixels, int stem, int penultimate, int repeats, bool skipsReduction, long parameters, double top1, double top5, string hash, string hashWithoutHead)
    {
        var preprocessing = Preprocessing.KerasTf(imageSizePixels, Interpolation.Bilinear);
        return new()
        {
            Name = $"nasnet_{size}",
            Source = BackboneSource.Keras,
            Paper = "Zoph et al. 2017, arXiv:1707.07012",
            Build = () => Build($"nasnet_{size}", imageSizePixels, stem, penultimate, repeats, skipsReduction),
            Head = "global_average_pooling2d",
            PublishedParameters = parameters,
            Weights =
            [
                PretrainedWeights.Keras($"nasnet/NASNet-{size}.h5", FileHash.Md5(hash), preprocessing, top1: top1, top5: top5),
                PretrainedWeights.KerasNoTop($"nasnet/NASNet-{size}-no-top.h5", FileHash.Md5(hashWithoutHead), preprocessing),
            ],
        };
    }
}
