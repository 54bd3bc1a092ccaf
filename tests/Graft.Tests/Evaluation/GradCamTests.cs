using Graft.Backbones;
using Graft.Classifiers;
using Graft.Evaluation;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Tests.Features;
using Graft.Tests.Imaging;
using static TorchSharp.torch;

namespace Graft.Tests.Evaluation;

[Collection(nameof(AloneWithTorch))]
public class GradCamTests
{
    private static readonly string[] Classes = ["a", "b", "c"];

    private static ImageClassifier Model(Network network, int classes = 3, Preprocessing? preprocessing = null, int seed = 1) =>
        ImageClassifier.Of("tiny", network, new RandomWeights(seed), preprocessing ?? Preprocessing.UnitRange(16), Classes[..classes]);

    /// <summary>Images [3, 16, 16] → a map [6, 8, 8] that is not 0 everywhere → what the caller makes of it.</summary>
    private static Network Convolutional(Func<Node, Node> rest)
    {
        var builder = new NetworkBuilder("tiny");
        return builder.Build(rest(builder.Input("image", 3, 16).Convolution("conv", 6, kernel: 3, stride: 2, padding: 1).Relu("map")));
    }

    private static RgbImage Photo(int width = 16, int height = 16) => TestImages.Noise(width, height, seed: 3);

    private static float[] Values(Tensor tensor) => [.. tensor.contiguous().data<float>()];

    /// <summary>A layer's output for the photo, and the weights of the layer "classes", by torch.</summary>
    private static (Tensor Map, Tensor Weights) Reference(ImageClassifier model, string layer, RgbImage photo)
    {
        using var module = new TorchNetwork(model.Network, model.Weights);
        var input = new float[model.Preprocessing.InputLength];
        model.Preprocessing.Apply(model.Preprocessing.Resize(photo), input);
        using var inference = no_grad();
        var map = module.Activation(tensor(input, [1, 3, model.Preprocessing.InputHeight, model.Preprocessing.InputWidth]), layer).clone();
        return (map, module.state_dict()["classes.weight"].clone());
    }

    [Fact]
    public void Behind_a_global_average_and_a_linear_layer_it_is_the_class_activation_map()
    {
        using var model = Model(Convolutional(map => map.GlobalPool("pool").Dense("classes", 3)));
        using var explanation = new GradCam(model);
        var (map, weights) = Reference(model, "map", Photo());

        for (var label = 0; label < 3; label++)
        {
            var heat = explanation.Explain(Photo(), label);

            // Zhou et al. 2016, (2): Σ over the channels of weight · activation; positive places, over their number.
            var expected = Values((weights[label].reshape(1, 6, 1, 1) * map).sum(1).relu() / 64);
            Assert.Equal((8, 8), (heat.Width, heat.Height));
            Assert.Equal(expected.Length, heat.Values.Count);
            // float32, and two engines up to the map.
            Assert.All(expected.Zip(heat.Values), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
            Assert.Contains(heat.Values, value => value > 1e-3);
        }
    }

    [Fact]
    public void Behind_hidden_layers_channels_count_by_what_a_little_more_of_them_does_to_the_score()
    {
        using var model = Model(Convolutional(map => map.Flatten("flat").Dense("hidden", 12).Relu("relu").BatchNorm("norm", 1e-3).Dense("classes", 3)));
        using var explanation = new GradCam(model);
        var (map, _) = Reference(model, "map", Photo());
        using var rest = new TorchNetwork(model.Network.StartAfter("map"), model.Weights);
        using var inference = no_grad();
        const float Step = 1e-2f;
        var factors = Enumerable.Range(0, 6).Select(channel =>
        {
            var more = zeros_like(map);
            more.select(1, channel).fill_(Step);
            // A step of a whole channel is the sum of its places' slopes; their mean is wanted.
            return (rest.call(map + more)[0, 1] - rest.call(map - more)[0, 1]).item<float>() / (2 * Step) / 64;
        }).ToArray();

        var heat = explanation.Explain(Photo(), 1);

        var expected = Values((tensor(factors, [1, 6, 1, 1]) * map).sum(1).relu());
        Assert.All(expected.Zip(heat.Values), pair => Assert.Equal(pair.First, pair.Second, 2e-4f));
        Assert.Contains(heat.Values, value => value > 1e-2);
    }

    [Fact]
    public void Score_is_taken_before_softmax()
    {
        using var plain = Model(Convolutional(map => map.GlobalPool("pool").Dense("classes", 3)));
        using var soft = Model(Convolutional(map => map.GlobalPool("pool").Dense("classes", 3).Softmax("softmax")));
        using var first = new GradCam(plain);
        using var second = new GradCam(soft);

        Assert.Equal(first.Explain(Photo(), 2).Values, second.Explain(Photo(), 2).Values);
    }

    [Fact]
    public void Of_two_classes_what_speaks_for_one_speaks_against_the_other()
    {
        using var model = Model(Convolutional(map => map.GlobalPool("pool").Dense("classes", 2)), classes: 2);
        using var explanation = new GradCam(model);
        var (map, weights) = Reference(model, "map", Photo());

        var (first, second) = (explanation.Explain(Photo(), 0), explanation.Explain(Photo(), 1));

        var signed = Values(((weights[0] - weights[1]).reshape(1, 6, 1, 1) * map).sum(1) / 64);
        Assert.All(signed.Zip(first.Values.Zip(second.Values)), entry => Assert.Equal(entry.First, entry.Second.First - entry.Second.Second, 1e-5f));
    }

    [Fact]
    public void Map_is_the_one_before_layers_that_only_pool()
    {
        using var model = Model(Convolutional(map => map.MaxPool("pool", 2, 2).Flatten("flat").Dense("classes", 3)));
        using var explanation = new GradCam(model);

        var heat = explanation.Explain(Photo(), 0);

        Assert.Equal((8, 8), (heat.Width, heat.Height));
    }

    [Fact]
    public void Maps_of_a_combination_add_up()
    {
        using var scene = new FeatureScene();
        using var first = Backbone.Of("one", Convolutional(map => map.GlobalPool("pool")), new RandomWeights(1), Preprocessing.UnitRange(16));
        using var second = Backbone.Of("two", Convolutional(map => map.GlobalPool("pool")), new RandomWeights(2), Preprocessing.UnitRange(16));
        using var blocks = new FeatureBlocks(first, second);
        var rows = Enumerable.Range(0, 20).Select(row => Enumerable.Range(0, 12).Select(column => (float)Math.Sin(row * 3 + column)).ToArray()).ToList();
        using var scaling = BlockScaling.Fit(blocks, rows);
        var builder = new NetworkBuilder("head", [new(scaling.Network.Output.Name, Input.Of(TensorShape.Vector(12)), [])]);
        using var head = new TorchNetwork(builder.Build(builder.Node(scaling.Network.Output.Name).Dense("classes", 3)), new RandomWeights(5));
        using var model = ImageClassifier.Of(blocks, scaling, head, Classes);
        using var explanation = new GradCam(model);

        var heat = explanation.Explain(Photo(), 1);

        Assert.Equal((64, 64), (heat.Width, heat.Height));
        // By hand: both blocks' maps, weighed by the slope of the score along each feature.
        using var whole = new TorchNetwork(model.Network, model.Weights);
        using var inference = no_grad();
        var sum = zeros(1, 8, 8);
        foreach (var (block, index) in new[] { first, second }.Select((block, index) => (block, index)))
        {
            using var module = new TorchNetwork(block.Network, block.Weights);
            var input = new float[3 * 256];
            block.Preprocessing.Apply(Photo(), input);
            var map = module.Activation(tensor(input, [1, 3, 16, 16]), "map");
            for (var channel = 0; channel < 6; channel++)
            {
                var step = zeros(1, 12);
                step[0, 6 * index + channel] = 1;
                sum += (whole.call(step)[0, 1] - whole.call(zeros(1, 12))[0, 1]) * map.select(1, channel);
            }
        }
        var expected = Values(sum.relu());
        // Middles of the eight cells a side lie between two of the sixty-four.
        for (var cell = 0; cell < 64; cell++)
        {
            var (x, y) = ((cell % 8 + 0.5) / 8, (cell / 8 + 0.5) / 8);
            if (expected[cell] > 0.3 * expected.Max()) Assert.Equal(expected[cell] / expected.Max(), heat.At(x, y)!.Value, 0.12);
        }
    }

    [Fact]
    public void Model_without_a_map_of_places_is_refused_with_the_reason()
    {
        var photos = Enumerable.Range(0, 12).Select(row => new[] { row % 3, row / 3f, 1, 0, row, 2f }).ToList();
        using var features = Backbone.Of("tiny", Convolutional(map => map.GlobalPool("pool")), new RandomWeights(1), Preprocessing.UnitRange(16));
        foreach (var (classifier, word) in new (FeatureClassifier, string)[]
        {
            (new NearestNeighbors(), "nearest neighbors"), (new GaussianNaiveBayes(), "naive Bayes"), (new RbfSvm(), "Gaussian kernel"),
        })
        {
            var fitted = classifier.Fit(photos, [.. Enumerable.Range(0, 12).Select(row => row % 3)], 3, cancellation: TestContext.Current.CancellationToken);
            using var head = fitted.ToModule(features.Network);
            using var model = ImageClassifier.Of(features, head, Classes);
            var problem = Assert.Throws<GraftException>(() => new GradCam(model));
            Assert.Contains(word, problem.Message, StringComparison.Ordinal);
            Assert.Equal("no-heat-map-of-classifier", problem.Code);
        }

        using var transformer = Backbone.Untrained("vit_small_patch14_dinov2", seed: 1);
        using var vit = Model(transformer.Network.Append(output => output.Dense("classes", 3)), preprocessing: transformer.Preprocessing);
        Assert.Contains("transformer", Assert.Throws<GraftException>(() => new GradCam(vit)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_classifier_that_weighs_features_has_heat_maps()
    {
        var random = new Random(1);
        var rows = Enumerable.Range(0, 30).Select(row => Enumerable.Range(0, 6).Select(column => (float)random.NextDouble() + (row % 3 == column % 3 ? 1 : 0)).ToArray()).ToList();
        using var features = Backbone.Of("tiny", Convolutional(map => map.GlobalPool("pool")), new RandomWeights(1), Preprocessing.UnitRange(16));
        foreach (var classifier in (FeatureClassifier[])[new LogisticRegression(), new LinearSvm(), new NearestClassMean()])
        {
            var fitted = classifier.Fit(rows, [.. Enumerable.Range(0, 30).Select(row => row % 3)], 3, cancellation: TestContext.Current.CancellationToken);
            using var head = fitted.ToModule(features.Network);
            using var model = ImageClassifier.Of(features, head, Classes);
            using var explanation = new GradCam(model);

            Assert.Contains(Enumerable.Range(0, 3), label => !explanation.Explain(Photo(), label).IsBlank);
        }
    }

    [Fact]
    public void Map_covers_what_a_crop_leaves_of_the_photo()
    {
        var cropping = Preprocessing.UnitRange(16) with { ResizeRule = new ResizeRule.ShorterSideThenCrop(20) };
        using var model = Model(Convolutional(map => map.GlobalPool("pool").Dense("classes", 3)), preprocessing: cropping);
        using var explanation = new GradCam(model);

        var heat = explanation.Explain(Photo(80, 40), 0);

        // Shrunk to 40 × 20, of which the middle 16 × 16 are seen.
        Assert.Equal([0.3, 0.1, 0.4, 0.8], new[] { heat.Seen.Left, heat.Seen.Top, heat.Seen.Width, heat.Seen.Height }.Select(share => Math.Round(share, 12)));
        Assert.Null(heat.At(0.1, 0.5));
        Assert.NotNull(heat.At(0.5, 0.5));
        var over = heat.Over(Photo(80, 40));
        Assert.True(over.Row(20)[..60].ToArray().Average(value => value) < 0.5 * Photo(80, 40).Row(20)[..60].ToArray().Average(value => value));
    }

    [Fact]
    public void Map_of_a_padded_photo_reaches_beyond_it()
    {
        // 80 × 40 is shrunk to 16 × 8 in the middle of 16 × 16: half of the map's height is padding.
        var seen = PhotoPart.SeenBy(Preprocessing.UnitRange(16).WithFit(Fit.Pad), 80, 40);
        Assert.Equal(new PhotoPart(0, -0.5, 1, 2), seen);
    }

    [Fact]
    public void Hottest_place_of_the_photo_is_that_of_the_map()
    {
        var heat = new HeatMap(4, 4, [.. Enumerable.Range(0, 16).Select(cell => cell == 6 ? 2f : 0)], PhotoPart.Whole);

        // Cell 6 is the third of the second row.
        Assert.Equal(1, heat.At(2.5 / 4, 1.5 / 4));
        Assert.Equal(0.5, heat.At(3.0 / 4, 1.5 / 4)!.Value, 1e-12);
        Assert.Equal(0, heat.At(0.5 / 4, 0.5 / 4));
        var gray = new RgbImage(40, 40, [.. Enumerable.Repeat((byte)100, 4800)]);
        var over = heat.Over(gray);
        Assert.True(over.Pixels[3 * (15 * 40 + 25)] > 180 && over.Pixels[3 * (15 * 40 + 25) + 2] < 200);
        Assert.Equal([100, 100, 100], over.Pixels[..3]);
        Assert.True(new HeatMap(1, 1, [0], PhotoPart.Whole).IsBlank);
    }
}
