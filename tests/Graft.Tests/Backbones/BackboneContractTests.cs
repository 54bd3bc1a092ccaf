using Graft.Backbones;
using Graft.Networks;
using Graft.Tests.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Backbones;

/// <summary>What every entry of the catalog keeps.</summary>
public class BackboneContractTests
{
    /// <summary>float32 sums in another order: a cut network may run other kernels than the whole one.</summary>
    private const double Tolerance = 1e-4;

    /// <summary>Larger networks run at their own size in the parity tests alone.</summary>
    private const long MultiplyAddsAtOwnSize = 1_000_000_000;

    /// <summary>Many small steps on a machine with other work: a second thread would mostly spin until it is its turn.</summary>
    static BackboneContractTests() => set_num_threads(1);

    /// <summary>Networks of more weights before the head are run by a smaller one of their table; the tables themselves are tested of all.</summary>
    private const long ParametersRun = 25_000_000;

    private static readonly Dictionary<string, long> FeatureParameters = BackboneCatalog.All.ToDictionary(
        entry => entry.FullName, entry => LayerTable.Of(entry.Build().CutBefore(entry.Head)).Parameters);

    /// <summary>Those that are run: the smallest of each family and source, and all of moderate size.</summary>
    public static TheoryData<string> RunNames => new(BackboneCatalog.All.GroupBy(entry => (entry.Family, entry.Source)).SelectMany(group => group
        .Where(entry => (FeatureParameters[entry.FullName] <= ParametersRun && !IsRunByAnother(entry)) || LargeWithLayersOfTheirOwn.Contains(entry.Name)
            || entry == group.MinBy(other => FeatureParameters[other.FullName]))
        .Select(entry => entry.FullName)));

    /// <summary>Large ones that have layers which no smaller network has.</summary>
    private static readonly string[] LargeWithLayersOfTheirOwn = ["swin_v2_t", "vit_base_patch16_siglip_224", "inception_resnet_v2"];

    /// <summary>Of the 15 that Keras scales from two tables, one of each.</summary>
    private static bool IsRunByAnother(BackboneDefinition entry) =>
        entry is { Family: "EfficientNet", Source: BackboneSource.Keras, Name: not ("efficientnet_b0" or "efficientnet_v2_b0") };

    public static TheoryData<string> Names => new(BackboneCatalog.All.Select(entry => entry.FullName));

    [Fact]
    public void Names_are_unique_and_a_plain_name_means_the_first_entry()
    {
        Assert.Equal(BackboneCatalog.All.Count, BackboneCatalog.All.Select(entry => entry.FullName).Distinct().Count());
        Assert.All(BackboneCatalog.All, entry =>
        {
            Assert.Same(entry, BackboneCatalog.Find(entry.FullName));
            Assert.Same(BackboneCatalog.All.First(other => other.Name == entry.Name), BackboneCatalog.Find(entry.Name));
        });
    }

    [Fact]
    public void Plain_names_keep_their_meaning() => Assert.Equal(
        ["mobilenet_v2.torchvision", "squeezenet1_1.torchvision", "efficientnet_b0.torchvision", "efficientnet_b1.torchvision", "efficientnet_b2.torchvision", "efficientnet_b3.torchvision",
            "efficientnet_b4.torchvision", "efficientnet_b5.torchvision", "efficientnet_b6.torchvision", "efficientnet_b7.torchvision", "efficientnet_v2_s.torchvision",
            "efficientnet_v2_m.torchvision", "efficientnet_v2_l.torchvision", "resnet50.keras", "resnet101.keras", "resnet152.keras", "resnet18.torchvision", "densenet121.torchvision", "densenet169.torchvision", "densenet201.torchvision", "convnext_tiny.torchvision", "convnext_small.torchvision", "convnext_base.torchvision", "convnext_large.torchvision", "inception_v3.keras", "vgg16.keras", "vgg19.keras"],
        BackboneCatalog.All.GroupBy(entry => entry.Name).Where(group => group.Count() > 1).Select(group => BackboneCatalog.Find(group.Key).FullName));

    [Theory]
    [MemberData(nameof(Names))]
    public void Layer_table_sums_to_the_published_parameter_count(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var tables = new[] { definition.Build(), definition.Auxiliary?.Invoke() }.OfType<Network>().Select(LayerTable.Of).ToList();

        Assert.Equal(
            definition.PublishedParameters,
            tables.Sum(table => table.Parameters + (definition.Source == BackboneSource.Keras ? table.Statistics : 0)));
    }

    [Fact]
    public void Layer_table_of_the_largest_network_needs_no_room_for_weights()
    {
        const long WeightsOfVgg19 = 4 * 143_667_240;
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = LayerTable.Of(BackboneCatalog.Find("vgg19").Build());

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, WeightsOfVgg19 / 1000);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Description_survives_its_json(string name)
    {
        var network = BackboneCatalog.Find(name).Build();

        var copy = Network.FromJson(network.ToJson());

        Assert.Equal(network.ToJson(), copy.ToJson());
        Assert.Equal(network.Layers.Select(layer => layer.Operation.Kind), copy.Layers.Select(layer => layer.Operation.Kind));
        Assert.Equal(network.OutputShape, copy.OutputShape);
        Assert.Equal(network.Parameters.Select(parameter => parameter.Key), copy.Parameters.Select(parameter => parameter.Key));
        Assert.Equal(network.Parameters.Count, network.Parameters.Select(parameter => parameter.Key).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Weights_record_is_complete(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var network = definition.Build();
        var input = network.InputShape;

        Assert.Equal((input.Width, input.Height), (definition.Weights[0].Preprocessing.InputWidth, definition.Weights[0].Preprocessing.InputHeight));
        Assert.All(definition.Weights, weights =>
        {
            weights.Preprocessing.Validate();
            Assert.NotEmpty(weights.License);
            if (weights.Classes is { } classes) Assert.Equal(network.OutputShape.ElementCount, classes.Count);
            if (weights.Top5 is { } top5) Assert.InRange(top5, weights.Top1!.Value, 100);
            Assert.NotEmpty(weights.Tag);
            if (definition.Source == BackboneSource.Graft || weights.Bundled is not null) return;
            Assert.Equal(Uri.UriSchemeHttps, weights.File!.Url.Scheme);
            // Keras has files without, and so have DINOv2 and Hugging Face.
            if (definition.Source != BackboneSource.Keras && weights.File.Url.Host != "huggingface.co" && !weights.File.Url.AbsolutePath.StartsWith("/dinov2", StringComparison.Ordinal))
                Assert.NotNull(weights.File.Hash);
            Assert.Same(weights, definition.WeightsOf(Path.Combine("somewhere", weights.File.FileName)));
        });
    }

    [Fact]
    public void Published_files_have_names_of_their_own()
    {
        var names = BackboneCatalog.All.SelectMany(entry => entry.Weights).Select(weights => weights.File?.FileName).OfType<string>().ToList();

        Assert.Equal(names.Count, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    [Theory]
    [MemberData(nameof(RunNames))]
    public void Network_runs_at_its_own_and_another_size_and_its_cuts_give_the_activations_of_the_whole(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var whole = definition.Build();
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var weights = new QuickWeights();

        // The head of some, such as Keras's VGG, is bound to one size; the features never are.
        var features = whole.CutBefore(definition.Head);
        if (LayerTable.Of(features).MultiplyAdds <= MultiplyAddsAtOwnSize)
            Assert.Equal(Shape(features.OutputShape), Run(features, weights).shape);
        var small = features.WithInputSize(SmallSize(definition), SmallSize(definition));
        var cuts = new[] { small.Layers.Count / 4, small.Layers.Count / 2, small.Layers.Count - 2 }.Select(index => small.Layers[index].Name).ToList();
        using var module = new TorchNetwork(small, weights);
        var input = Input(small);
        var activations = module.Activations(input, [.. cuts, small.Output.Name]);
        foreach (var (layer, activation) in cuts.Zip(activations))
        {
            var cut = small.CutAfter(layer);
            Assert.Equal(Shape(cut.OutputShape), activation.shape);
            AssertClose(layer, activation, Run(cut, weights));
        }

        Assert.Equal(Shape(small.OutputShape), activations[^1].shape);
        Assert.True(activations[^1].isfinite().all().item<bool>());
        Assert.True(activations[^1].std().item<float>() > 0);
    }

    [Theory]
    [MemberData(nameof(RunNames))]
    public void Onnx_runtime_gives_the_features_of_torch(string name)
    {
        const double Relative = 1e-4;
        var definition = BackboneCatalog.Find(name);
        var network = definition.Build().CutBefore(definition.Head).WithInputSize(SmallSize(definition), SmallSize(definition));
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var weights = new QuickWeights();
        var expected = Run(network, weights).flatten().data<float>().ToArray();
        using var module = FrozenNetwork.Load(network, weights);

        var actual = module.Run(Input(network).data<float>().ToArray());

        var largest = expected.Max(Math.Abs);
        Assert.InRange(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() / largest, 0, Relative);
    }

    [Theory]
    [MemberData(nameof(RunNames))]
    public void Head_gives_one_number_per_class_and_cutting_it_one_per_feature(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var whole = definition.Build();
        using var backbone = Backbone.Untrained(name, seed: 1);

        Assert.Equal(TensorShape.Vector(whole.CutBefore(definition.Head).OutputShape.Channels), backbone.Features().Network.OutputShape);
        if (definition.Weights[0].Classes is { } classes) Assert.Equal(TensorShape.Vector(classes.Count), whole.OutputShape);
    }

    [Fact]
    public void Head_runs_on_the_features()
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var network = BackboneCatalog.Find("alexnet").Build().WithInputSize(96, 96);

        Assert.Equal([1, 1000], Run(network, new QuickWeights()).shape);
    }

    [Fact]
    public void Transformer_features_depend_on_every_patch_at_any_size()
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var network = BackboneCatalog.Find("vit_small_patch14_dinov2").Build().WithInputSize(56, 84);
        using var module = new TorchNetwork(network, new QuickWeights());
        var input = Input(network);
        var changed = input.clone();
        changed[0, 0, 55, 83] = 9;

        Assert.Equal([1 + 4 * 6, 384], network.ShapeOf("cls_token").Sizes);
        Assert.False(module.call(input).allclose(module.call(changed)));
    }

    internal static int SmallSize(BackboneDefinition definition) => definition.Name switch
    {
        "inception_v3" or "xception" or "inception_resnet_v2" => 96,
        "vit_small_patch14_dinov2" => 56,
        "vit_b_16" => 64,
        _ => 72,
    };

    private static Tensor Run(Network network, IWeights weights)
    {
        using var module = new TorchNetwork(network, weights);
        return module.call(Input(network));
    }

    private static Tensor Input(Network network)
    {
        var values = new float[network.InputShape.ElementCount];
        QuickWeights.Fill(values, seed: 7, scale: 1, center: 0);
        return tensor(values).reshape(Shape(network.InputShape));
    }

    private static long[] Shape(TensorShape shape) => [1, .. shape.Sizes.Select(size => (long)size)];

    private static void AssertClose(string layer, Tensor expected, Tensor actual)
    {
        var deviation = expected.std().item<float>();
        var worst = (expected - actual).abs().max().item<float>();
        Assert.True(worst <= Tolerance * deviation, $"{layer}: off by {worst / deviation:G3} standard deviations");
    }
}
