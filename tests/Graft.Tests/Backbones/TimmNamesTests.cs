using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Imaging;
using Graft.Testing;
using Graft.Tests.Checkpoints;

namespace Graft.Tests.Backbones;

/// <summary>
/// Files of timm name the tensors of networks that torchvision has too in their own way. Their keys and shapes are written out below
/// as timm's modules register them (timm/models/efficientnet.py, _efficientnet_blocks.py, convnext.py, vgg.py), in network order.
/// </summary>
public sealed class TimmNamesTests : IDisposable
{
    private static readonly string[] Norm = ["weight", "bias", "running_mean", "running_var"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Names =>
        new(BackboneCatalog.All.Where(entry => entry.OtherNames.Count > 0).Select(entry => entry.FullName));

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_name_stands_for_one_layer_with_weights(string name)
    {
        var definition = BackboneCatalog.Find(name);
        var layers = definition.Build().Parameters.Select(parameter => parameter.Layer).ToHashSet();

        var keys = definition.Build().Parameters.Select(parameter => parameter.Key).ToHashSet();

        Assert.All(definition.OtherNames, names =>
        {
            Assert.All(names.Keys, name => Assert.True(layers.Contains(name) || keys.Contains(name), name));
            Assert.Equal(names.Count, names.Values.Distinct().Count());
            Assert.Equal(layers.Count, layers.Select(layer => names.GetValueOrDefault(layer, layer)).Distinct().Count());
        });
    }

    /// <summary>As <c>vit_b_16-c867db91.pth</c> has them: torchvision/models/vision_transformer.py, MLPBlock._load_from_state_dict.</summary>
    [Fact]
    public void Published_files_of_vision_transformers_pack_attention_and_name_dense_layers()
    {
        var definition = BackboneCatalog.Find("vit_b_16");
        var keys = definition.Build().Parameters.Where(parameter => parameter.Layer.StartsWith("encoder.layers.encoder_layer_11.", StringComparison.Ordinal))
            .Select(parameter => definition.Weights[0].Keys!.PartOf(parameter).Tensors.Single()["encoder.layers.encoder_layer_11.".Length..]);

        Assert.Equal(
            (string[])
            [
                "ln_1.bias", "ln_1.weight", "ln_2.bias", "ln_2.weight", "mlp.linear_1.bias", "mlp.linear_1.weight", "mlp.linear_2.bias", "mlp.linear_2.weight",
                "self_attention.in_proj_bias", "self_attention.in_proj_weight", "self_attention.out_proj.bias", "self_attention.out_proj.weight",
            ],
            keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("mobilenet_v2", "mobilenetv2_100.ra_in1k.safetensors")]
    [InlineData("efficientnet_b0", "efficientnet_b0.ra_in1k.safetensors")]
    [InlineData("convnext_tiny", "convnext_tiny.fb_in1k.safetensors")]
    public void File_of_timm_loads_whole_with_its_own_preprocessing(string name, string file)
    {
        var tensors = TensorsOf(name);
        var path = _folder.File(file);
        SafetensorsWriter.Write(path, [.. tensors.Select((tensor, index) => new TensorSource(
            tensor.Key, TensorType.Float32, tensor.Shape, (start, part) => Fill(part, index, (int)start)))]);

        using var backbone = Backbone.Load(name, path);

        Assert.NotNull(backbone.Head);
        Assert.Equal(Interpolation.Bicubic, backbone.Preprocessing.Interpolation);
        Assert.Equal(tensors.Count, backbone.Network.Parameters.Count);
        for (var index = 0; index < tensors.Count; index++)
        {
            var parameter = backbone.Network.Parameters[index];
            float[] actual = new float[parameter.ElementCount], expected = new float[parameter.ElementCount];
            backbone.Weights.Read(parameter, actual);
            Fill(expected, index, 0);
            Assert.True(actual.AsSpan().SequenceEqual(expected), $"{parameter.Key} is not {tensors[index].Key}");
        }
    }

    [Theory]
    [InlineData("vgg16.torchvision")]
    [InlineData("vgg19.torchvision")]
    public void Dense_layers_stored_as_convolutions_load(string name)
    {
        var path = Hollow(TensorsOf(name), "vgg.safetensors");

        using var backbone = Backbone.Load(name, path);

        Assert.NotNull(backbone.Head);
    }

    [Fact]
    public void What_is_missing_is_told_by_the_names_of_the_file()
    {
        var path = Hollow([.. TensorsOf("convnext_tiny").Where(tensor => tensor.Key != "stages.2.blocks.7.gamma")], "convnext.safetensors");

        var problem = Assert.Throws<CheckpointMismatchException>(() => Backbone.Load("convnext_tiny", path));

        Assert.Equal(["missing: 'stages.2.blocks.7.gamma' [384, 1, 1]"], problem.Problems);
    }

    [Fact]
    public void Other_output_counts_are_refused_whatever_the_element_count()
    {
        var tensors = TensorsOf("mobilenet_v2");
        tensors[0] = tensors[0] with { Shape = [27, 32, 1, 1] };

        var problem = Assert.Throws<CheckpointMismatchException>(() => Backbone.Load("mobilenet_v2", Hollow(tensors, "odd.safetensors")));

        Assert.Equal(["expected 'conv_stem.weight' [32, 3, 3, 3], found [27, 32, 1, 1]"], problem.Problems);
    }

    private static void Fill(Span<float> values, int tensor, int start)
    {
        for (var i = 0; i < values.Length; i++) values[i] = tensor + (start + i) % 9973 / 16384f;
    }

    private string Hollow(IEnumerable<Tensor> tensors, string name) =>
        HollowFile.Write(_folder.File(name), tensors.Select(tensor => (tensor.Key, tensor.Shape)));

    private sealed record Tensor(string Key, long[] Shape);

    private static List<Tensor> TensorsOf(string name) => name switch
    {
        "mobilenet_v2" => EfficientNet(
            squeeze: false, 32, 1280,
            (3, 1, 16, 1), (3, 6, 24, 2), (3, 6, 32, 3), (3, 6, 64, 4), (3, 6, 96, 3), (3, 6, 160, 3), (3, 6, 320, 1)),
        "efficientnet_b0" => EfficientNet(
            squeeze: true, 32, 1280,
            (3, 1, 16, 1), (3, 6, 24, 2), (5, 6, 40, 2), (3, 6, 80, 3), (5, 6, 112, 3), (5, 6, 192, 4), (3, 6, 320, 1)),
        "convnext_tiny" => ConvNeXt([3, 3, 9, 3], [96, 192, 384, 768]),
        "vgg16.torchvision" => Vgg(2, 2, 3, 3, 3),
        _ => Vgg(2, 2, 4, 4, 4),
    };

    private static List<Tensor> EfficientNet(
        bool squeeze, int stem, int head, params (int Kernel, int Expansion, int Channels, int Repeats)[] stages)
    {
        var tensors = new List<Tensor> { new("conv_stem.weight", [stem, 3, 3, 3]) };
        AddNorm("bn1", stem);
        var channels = stem;
        for (var stage = 0; stage < stages.Length; stage++)
            for (var repeat = 0; repeat < stages[stage].Repeats; repeat++)
            {
                var (block, hidden, (kernel, expansion, filters, _)) = ($"blocks.{stage}.{repeat}", channels * stages[stage].Expansion, stages[stage]);
                if (expansion > 1)
                {
                    tensors.Add(new($"{block}.conv_pw.weight", [hidden, channels, 1, 1]));
                    AddNorm($"{block}.bn1", hidden);
                }
                tensors.Add(new($"{block}.conv_dw.weight", [hidden, 1, kernel, kernel]));
                AddNorm($"{block}.bn{(expansion > 1 ? 2 : 1)}", hidden);
                if (squeeze)
                {
                    AddBiased($"{block}.se.conv_reduce", channels / 4, hidden, 1, 1);
                    AddBiased($"{block}.se.conv_expand", hidden, channels / 4, 1, 1);
                }
                tensors.Add(new($"{block}.{(expansion > 1 ? "conv_pwl" : "conv_pw")}.weight", [filters, hidden, 1, 1]));
                AddNorm($"{block}.bn{(expansion > 1 ? 3 : 2)}", filters);
                channels = filters;
            }
        tensors.Add(new("conv_head.weight", [head, channels, 1, 1]));
        AddNorm("bn2", head);
        AddBiased("classifier", 1000, head);
        return tensors;

        void AddNorm(string norm, int size) => tensors.AddRange(Norm.Select(part => new Tensor($"{norm}.{part}", [size])));
        void AddBiased(string layer, params long[] shape) => tensors.AddRange(Biased(layer, shape));
    }

    private static List<Tensor> ConvNeXt(int[] depths, int[] widths)
    {
        List<Tensor> tensors = [.. Biased("stem.0", widths[0], 3, 4, 4), .. Biased("stem.1", widths[0])];
        for (var stage = 0; stage < depths.Length; stage++)
        {
            var width = widths[stage];
            if (stage > 0)
            {
                tensors.AddRange(Biased($"stages.{stage}.downsample.0", widths[stage - 1]));
                tensors.AddRange(Biased($"stages.{stage}.downsample.1", width, widths[stage - 1], 2, 2));
            }
            for (var block = 0; block < depths[stage]; block++)
            {
                var name = $"stages.{stage}.blocks.{block}";
                tensors.AddRange(Biased($"{name}.conv_dw", width, 1, 7, 7));
                tensors.AddRange(Biased($"{name}.norm", width));
                tensors.AddRange(Biased($"{name}.mlp.fc1", 4 * width, width));
                tensors.AddRange(Biased($"{name}.mlp.fc2", width, 4 * width));
                tensors.Add(new($"{name}.gamma", [width]));
            }
        }
        return [.. tensors, .. Biased("head.norm", widths[^1]), .. Biased("head.fc", 1000, widths[^1])];
    }

    private static List<Tensor> Vgg(params int[] convolutions)
    {
        var tensors = new List<Tensor>();
        var (index, channels) = (0, 3);
        foreach (var (count, width) in convolutions.Zip([64, 128, 256, 512, 512]))
        {
            for (var convolution = 0; convolution < count; convolution++, index += 2, channels = width)
                tensors.AddRange(Biased($"features.{index}", width, channels, 3, 3));
            index++;
        }
        return
        [
            .. tensors, .. Biased("pre_logits.fc1", 4096, 512, 7, 7), .. Biased("pre_logits.fc2", 4096, 4096, 1, 1),
            .. Biased("head.fc", 1000, 4096),
        ];
    }

    private static Tensor[] Biased(string layer, params long[] shape) => [new($"{layer}.weight", shape), new($"{layer}.bias", [shape[0]])];
}
