using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Export;
using Graft.Features;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;
using Graft.Networks.Onnx;
using Graft.Testing;
using Graft.Tests.Features;
using Graft.Tests.Imaging;
using Graft.Training;

namespace Graft.Tests.Export;

public class ModelExportTests
{
    private const int Size = 32;
    private static readonly string[] Classes = ["a", "it's \"b\"", "ß"];

    public static TheoryData<string> Rules => [.. Preprocessings.Keys];

    private static readonly Dictionary<string, Preprocessing> Preprocessings = new(StringComparer.Ordinal)
    {
        ["stretch, bilinear"] = Preprocessing.UnitRange(Size),
        ["stretch, bicubic"] = Preprocessing.KerasTf(Size, Interpolation.Bicubic),
        ["stretch, nearest, BGR"] = Preprocessing.KerasCaffe(Size),
        ["crop, bilinear"] = Preprocessing.Torchvision(Size, 37),
        ["crop, bicubic"] = Preprocessing.Torchvision(Size, 36, Interpolation.Bicubic),
        ["crop, nearest"] = Preprocessing.Torchvision(Size, 39, Interpolation.Nearest),
        ["wide"] = Preprocessing.KerasTorch(Size).WithInputSize(40, 24),
        ["pad, bilinear"] = Preprocessing.Torchvision(Size, 37).WithFit(Fit.Pad),
        ["pad, bicubic, BGR, wide"] = Preprocessing.KerasCaffe(Size, Interpolation.Bicubic).WithInputSize(40, 24).WithFit(Fit.Pad),
        ["pad, nearest"] = Preprocessing.KerasTf(Size).WithFit(Fit.Pad),
    };

    public static TheoryData<string> ClassifierNames => [.. Fitted.Keys];

    private static readonly Dictionary<string, FeatureClassifier> Fitted = new(StringComparer.Ordinal)
    {
        ["logistic"] = new LogisticRegression(),
        ["svm"] = new LinearSvm(),
        ["rbf-svm"] = new RbfSvm(),
        ["bayes"] = new GaussianNaiveBayes(),
        ["knn"] = new NearestNeighbors(),
        ["mean"] = new NearestClassMean(),
    };

    /// <summary>A network that sees fine detail, position and colors.</summary>
    private static Backbone Features(Preprocessing preprocessing, int seed = 1)
    {
        var builder = new NetworkBuilder("tiny");
        var network = builder.Build(builder.Input("image", 3, Size)
            .Convolution("conv", 8, kernel: 3, stride: 2).BatchNorm("norm", 1e-5).Relu("relu")
            .Convolution("conv2", 12, kernel: 3, stride: 2).Relu("relu2").GlobalPool("features"));
        network = network.WithInputSize(preprocessing.InputHeight, preprocessing.InputWidth);
        return Backbone.Of("tiny", network, new RandomWeights(seed), preprocessing);
    }

    private static ImageClassifier Softmax(Backbone features, int seed = 3)
    {
        var builder = new NetworkBuilder("tiny", [new("features", Input.Of(features.Network.OutputShape), [])]);
        using var head = new TorchNetwork(builder.Build(Head.Softmax.Build(builder.Node("features"), Classes.Length)), new RandomWeights(seed));
        return ImageClassifier.Of(features, head, Classes);
    }

    private static ImageClassifier Softmax(string rule = "crop, bilinear") => Softmax(Features(Preprocessings[rule]));

    [Theory]
    [MemberData(nameof(Rules))]
    public void Exported_model_answers_as_the_trained_one_for_every_resize_rule(string rule)
    {
        using var folder = new TemporaryFolder();
        using var model = Softmax(rule);

        var result = model.Export(folder.File("model.onnx"), cancellation: TestContext.Current.CancellationToken);

        Assert.True(result.Parity.IsPassed);
        // The pixels are the same; float32 adds up in another order.
        Assert.InRange(result.Parity.LargestDifference, 0, 1e-6);
    }

    /// <summary>So that a GPU, which would multiply in another order, has nothing to resize.</summary>
    [Theory]
    [MemberData(nameof(Rules))]
    public void Photo_that_is_resized_before_the_graph_gives_the_very_same_answer(string rule)
    {
        using var folder = new TemporaryFolder();
        using var model = Softmax(rule);
        using var exported = Graft.Inference.Classifier.Open(
            model.Export(folder.File("model.onnx"), cancellation: TestContext.Current.CancellationToken).Files[0]);

        foreach (var (width, height) in ((int, int)[])[(17, 11), (32, 32), (29, 83), (90, 61)])
        {
            var photo = TestImages.Noise(width, height, seed: 5);
            Assert.Equal(exported.Predict(photo).Probabilities, exported.Predict(PhotoTensor.Resized(photo, Preprocessings[rule])).Probabilities);
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Graph_resizes_to_the_very_pixels_of_training(string rule)
    {
        var preprocessing = Preprocessings[rule];
        using var model = Softmax(rule);
        using var resized = new GraphSession(PhotoModel.Of(model, new()), preprocessing: null, ["photo/planes"]);
        // Shrunk, enlarged and both; ratios with values exactly between two integers; sides of one pixel; another size next, as a server has it.
        (int Width, int Height)[] sizes =
            [(37, 37), (64, 48), (49, 63), (224, 224), (111, 500), (500, 111), (33, 31), (16, 16), (20, 90), (1, 1), (1, 9), (7, 1), (640, 481), (1000, 3)];
        foreach (var (width, height) in sizes)
        {
            foreach (var photo in new[] { TestImages.Photo(width, height), TestImages.Noise(width, height, seed: width) })
            {
                var expected = preprocessing.Resize(photo);
                var found = resized.Run(photo, outputs => outputs[0].GetTensorDataAsSpan<byte>().ToArray());
                for (var index = 0; index < found.Length; index++)
                {
                    var plane = found.Length / 3;
                    if (expected.Pixels[index % plane * 3 + index / plane] != found[index])
                        Assert.Fail($"{width} × {height}: sample {index} is {found[index]}, not {expected.Pixels[index % plane * 3 + index / plane]}");
                }
                Assert.Equal(expected.Pixels.Length, found.Length);
                Assert.Equal(found, resized.Run(PhotoTensor.Shrunk(photo, preprocessing), outputs => outputs[0].GetTensorDataAsSpan<byte>().ToArray()));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Photo_of_the_size_that_is_resized_to_gives_the_trained_models_numbers(string rule)
    {
        using var folder = new TemporaryFolder();
        using var model = Softmax(rule);
        var path = folder.File("model.onnx");
        model.Export(path, cancellation: TestContext.Current.CancellationToken);
        using var exported = Classifier.Open(path);
        var preprocessing = Preprocessings[rule];
        var side = preprocessing.ResizeRule is ResizeRule.ShorterSideThenCrop(var pixels) ? pixels : 0;
        var photo = TestImages.Noise(side > 0 ? side : preprocessing.InputWidth, side > 0 ? side : preprocessing.InputHeight, seed: 5);

        AssertClose(model.Predict(photo).Probabilities, exported.Predict(photo).Probabilities, 1e-6);
    }

    [Theory]
    [MemberData(nameof(ClassifierNames))]
    public void Exported_model_answers_as_the_trained_one_for_every_classifier(string name)
    {
        using var folder = new TemporaryFolder();
        using var scene = new FeatureScene();
        var photos = scene.Photos(45, classes: 3);
        using var features = Features(Preprocessing.UnitRange(Size));
        using var extractor = new FeatureExtractor(features, cache: null);
        var set = extractor.Extract(photos, cancellation: TestContext.Current.CancellationToken);
        // Half of the labels are of other photos, so that no classifier is certain.
        int[] labels = [.. photos.Select((photo, index) => index % 2 == 0 ? photo.Class : index / 3 % 3)];
        var fitted = Fitted[name].Fit([.. set.Rows], labels, 3, cancellation: TestContext.Current.CancellationToken);
        using var head = fitted.ToModule(features.Network);
        using var model = ImageClassifier.Of(features, head, Classes);
        string[] paths = [.. photos.Select(photo => photo.Path)];
        var path = folder.File("model.onnx");

        var result = model.Export(path, new() { CheckPhotos = paths }, cancellation: TestContext.Current.CancellationToken);

        Assert.Empty(result.Parity.DifferentClasses);
        // With the pixels resized outside only the arithmetic differs.
        using var exported = Classifier.Open(path);
        foreach (var photo in paths.Take(9))
        {
            var resized = model.Preprocessing.Resize(ImageDecoder.Decode(photo));
            AssertClose(model.Predict(resized).Probabilities, exported.Predict(resized).Probabilities, 1e-5);
        }
    }

    [Fact]
    public void Combination_of_backbones_is_exported_with_the_preprocessing_of_each()
    {
        using var folder = new TemporaryFolder();
        using var blocks = new FeatureBlocks(Features(Preprocessings["crop, bilinear"]), Features(Preprocessings["stretch, nearest, BGR"], seed: 2));
        using var scaling = BlockScaling.Fit(blocks, [[.. Enumerable.Range(0, 24).Select(i => (float)i)], [.. Enumerable.Range(0, 24).Select(i => 30f - i * i)]]);
        var builder = new NetworkBuilder("head", [new(BlockScaling.ScalingLayer, Input.Of(scaling.Network.OutputShape), [])]);
        using var head = new TorchNetwork(builder.Build(Head.Softmax.Build(builder.Node(BlockScaling.ScalingLayer), 3)), new RandomWeights(1));
        using var model = ImageClassifier.Of(blocks, scaling, head, Classes);

        var result = model.Export(folder.File("model.onnx"), new() { Features = true }, cancellation: TestContext.Current.CancellationToken);

        Assert.InRange(result.Parity.LargestDifference, 0, 1e-3);
        using var exported = Classifier.Open(folder.File("model.onnx"));
        Assert.Equal(24, exported.Predict(TestImages.Photo(60, 50)).Features!.Count);
        Assert.Throws<GraftException>(() => model.Export(
            folder.File("other/model.onnx"), new() { Input = ExportInput.Tensor }, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Onnx_file_as_a_backbone_is_exported_with_its_nodes()
    {
        using var folder = new TemporaryFolder();
        var own = Features(Preprocessings["crop, bilinear"]);
        File.WriteAllBytes(folder.File("backbone.onnx"), OnnxModel.Of(own.Network, own.Weights).ToArray());
        using var backbone = OnnxBackbone.Load(folder.File("backbone.onnx"), _ => own.Preprocessing).Features();
        var builder = new NetworkBuilder("head", [new(backbone.Network.Output.Name, Input.Of(backbone.Network.OutputShape), [])]);
        using var head = new TorchNetwork(builder.Build(Head.Softmax.Build(builder.Node(backbone.Network.Output.Name), 3)), new RandomWeights(1));
        using var model = ImageClassifier.Of(backbone, head, Classes);

        var result = model.Export(folder.File("model.onnx"), cancellation: TestContext.Current.CancellationToken);

        Assert.InRange(result.Parity.LargestDifference, 0, 1e-3);
    }

    [Fact]
    public void Whole_network_is_exported_and_its_features_are_those_before_the_head()
    {
        using var folder = new TemporaryFolder();
        using var embedded = Backbone.Load(EmbeddedBackbone.Name);
        var grafted = embedded.Features().Graft(Head.Softmax, Classes);
        using var model = ImageClassifier.Of("mine", grafted.Network, grafted.Weights, embedded.Preprocessing, Classes);

        model.Export(folder.File("model.onnx"), new() { Features = true }, cancellation: TestContext.Current.CancellationToken);

        using var exported = Classifier.Open(folder.File("model.onnx"));
        Assert.Equal(embedded.Features().Network.OutputShape.ElementCount, exported.Predict(TestImages.Photo(60, 50)).Features!.Count);
        using var pretrained = ImageClassifier.Of(Backbone.Load(EmbeddedBackbone.Name));
        Assert.Equal(202, Classifier.Open(PhotoModel.Of(pretrained, new()).ToByteArrayWithMetadata(pretrained)).Classes.Count);
    }

    [Fact]
    public void Tensor_input_takes_what_was_preprocessed_outside()
    {
        using var folder = new TemporaryFolder();
        using var model = Softmax();
        model.Export(folder.File("model.onnx"), new() { Input = ExportInput.Tensor }, cancellation: TestContext.Current.CancellationToken);

        using var exported = Classifier.Open(folder.File("model.onnx"));

        var photo = TestImages.Photo(90, 70);
        AssertClose(model.Predict(photo).Probabilities, exported.Predict(photo).Probabilities, 1e-6);
        Assert.True(exported.Verify().IsPassed);
    }

    public static MatrixTheoryData<string, ExportPrecision> Mistakes =>
        new(["another mean", "BGR", "no antialias", "another size", "another class order"], Enum.GetValues<ExportPrecision>());

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Mistake_in_the_exported_model_is_found(string mistake, ExportPrecision precision)
    {
        using var model = Softmax();
        using var generated = new GeneratedPhotos(4);
        var exported = PhotoModel.Of(model, new());
        if (precision == ExportPrecision.Float16) exported = Float16Weights.Of(exported);
        if (precision == ExportPrecision.Int8) exported = Int8Quantization.Of(exported, null, generated.Paths, null, TestContext.Current.CancellationToken).Model;
        var options = new ExportOptions { Precision = precision };
        Assert.True(Compare(model, exported, generated, options).IsPassed);
        var graph = exported.Graph;
        switch (mistake)
        {
            case "another mean":
                var offset = graph.Initializer.Single(tensor => tensor.Name == "photo/offset");
                offset.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(new float[3]));
                break;
            case "BGR":
                var cast = graph.Node.Single(node => node.Name == "photo/samples");
                graph.Initializer.Add(new TensorProto
                {
                    Name = "order",
                    DataType = (int)TensorProto.Types.DataType.Int64,
                    Dims = { 3 },
                    RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<long>((long[])[2, 1, 0])),
                });
                graph.Node.Insert(graph.Node.IndexOf(cast), new NodeProto
                {
                    OpType = "Gather",
                    Input = { cast.Input[0], "order" },
                    Output = { "swapped" },
                    Attribute = { OnnxGraphWriter.Of("axis", 1) },
                });
                cast.Input[0] = "swapped";
                break;
            case "no antialias":
                // The filter stays as wide as when enlarging.
                foreach (var widening in graph.Node.Where(node => node.Name.EndsWith("/widening", StringComparison.Ordinal))) widening.Input[0] = widening.Input[1];
                break;
            case "another size":
                var side = graph.Initializer.Single(tensor => tensor.Name == "photo/shorter_pixels");
                side.RawData = ByteString.CopyFrom(BitConverter.GetBytes(48L));
                break;
            default:
                var kernel = graph.Initializer.Last(tensor => tensor.Dims.Count == 2);
                var size = precision == ExportPrecision.Int8 ? sizeof(sbyte) : sizeof(float);
                kernel.RawData = ByteString.CopyFrom([.. kernel.RawData.ToByteArray().Chunk(size).Reverse().SelectMany(bytes => bytes)]);
                break;
        }

        Assert.False(Compare(model, exported, generated, options).IsPassed);
    }

    [Fact]
    public void Beyond_the_bound_nothing_is_written()
    {
        using var folder = new TemporaryFolder();
        using var model = Softmax();

        var problem = Assert.Throws<ExportParityException>(() => model.Export(
            Path.Combine(folder.FullName, "out", "model.onnx"), new() { Bound = 1e-12 }, cancellation: TestContext.Current.CancellationToken));

        Assert.InRange(problem.Parity.LargestDifference, 1e-12, 1e-3);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.FullName));
    }

    [Fact]
    public void Files_beside_the_model_say_what_it_is()
    {
        using var folder = new TemporaryFolder();
        using var model = Softmax();
        var path = folder.File("model.onnx");

        var result = model.Export(
            path, new() { Facts = new Dictionary<string, string> { ["validation accuracy"] = "92.5 %" } }, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(
            ["MODEL_CARD.md", "labels.txt", "model.onnx", "parity.json", "photo1.jpg", "photo2.jpg", "photo3.jpg"],
            result.Files.Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
        Assert.Equal(path, result.Files[0]);
        Assert.Equal(Classes, File.ReadAllLines(folder.File("labels.txt")));
        Assert.Contains("92.5 %", File.ReadAllText(folder.File("MODEL_CARD.md")), StringComparison.Ordinal);
        var parity = JsonNode.Parse(File.ReadAllText(folder.File("parity.json")))!;
        using var exported = Classifier.Open(path);
        foreach (var example in parity["examples"]!.AsArray())
        {
            var expected = example!["probabilities"]!.AsArray().Select(value => (float)value!).ToList();
            AssertClose(expected, exported.Predict(folder.File((string)example["photo"]!)).Probabilities, 0.005);
        }
        Assert.Equal(3, exported.Verify().Photos);
        Assert.True(exported.Verify().IsPassed);
        Assert.Equal("92.5 %", exported.Facts["validation accuracy"]);
        Assert.Equal("{0: 'a', 1: 'it\\'s \"b\"', 2: 'ß'}", exported.Metadata["names"]);
        Assert.Equal("Rgb8", exported.Metadata["Image.BitmapPixelFormat"]);

        // None of them is overwritten.
        Assert.Equal("output-exists", Assert.Throws<GraftException>(() => model.Export(
            folder.File("other.onnx"), cancellation: TestContext.Current.CancellationToken)).Code);
        Assert.False(File.Exists(folder.File("other.onnx")));
    }

    [Fact]
    public void Classifier_explains_files_that_are_not_exported_models()
    {
        using var folder = new TemporaryFolder();
        using var scene = new FeatureScene();
        var own = Features(Preprocessings["crop, bilinear"]);
        var foreign = folder.File("foreign.onnx");
        File.WriteAllBytes(foreign, OnnxModel.Of(own.Network, own.Weights).ToArray());
        using var model = Softmax();
        var path = folder.File("sound/model.onnx");
        model.Export(path, cancellation: TestContext.Current.CancellationToken);
        var truncated = folder.File("truncated.onnx");
        File.WriteAllBytes(truncated, File.ReadAllBytes(path)[..3000]);

        Assert.Contains("that Graft did not export: it takes image (float [", Assert.Throws<ModelException>(() => Classifier.Open(foreign)).Message, StringComparison.Ordinal);
        Assert.Contains("damaged", Assert.Throws<ModelException>(() => Classifier.Open(truncated)).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<ModelException>(() => Classifier.Open(folder.File("nowhere.onnx"))).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<ModelException>(() => Classifier.Open(folder.FullName)).Message, StringComparison.Ordinal);
        using var classifier = Classifier.Open(path);
        Assert.Throws<ArgumentException>(() => classifier.Predict(""));
        Assert.Throws<ArgumentException>(() => classifier.Predict(folder.FullName));
        Assert.Throws<UnreadableImageException>(() => classifier.Predict(path));
        var many = classifier.Predict([scene.Photo(1).Path, path], TestContext.Current.CancellationToken);
        Assert.Equal((true, false), (many[0].Problem is null, many[1].Problem is null));
        classifier.Dispose();
        Assert.Throws<ObjectDisposedException>(() => classifier.Predict(scene.Photo(1).Path));
    }

    private static ExportParity Compare(ImageClassifier model, ModelProto exported, GeneratedPhotos photos, ExportOptions? options = null) => ParityCheck.Of(
        model, exported.ToByteArrayWithMetadata(model), photos.Paths, options ?? new(), cancellation: TestContext.Current.CancellationToken).Parity;

    private static void AssertClose(IReadOnlyList<float> expected, IReadOnlyList<float> found, double tolerance)
    {
        Assert.Equal(expected.Count, found.Count);
        Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }
}

internal static class PhotoModelExtensions
{
    /// <summary>As it would be written.</summary>
    public static byte[] ToByteArrayWithMetadata(this ModelProto model, ImageClassifier classifier)
    {
        model.MetadataProps.Clear();
        foreach (var (key, value) in PhotoModel.Metadata(classifier, new(), new(0.005, [])))
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        return model.ToByteArray();
    }
}
