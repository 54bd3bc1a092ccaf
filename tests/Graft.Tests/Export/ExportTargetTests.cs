using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Export;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks;
using Graft.Testing;
using Graft.Tests.Imaging;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Tests.Export;

/// <summary>Folders that other runtimes expect: their files' content, and the model's answers through ONNX Runtime.</summary>
public sealed class ExportTargetTests : IDisposable
{
    private static readonly string[] Classes = ["a", "it's \"b\"", "ß"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static ImageClassifier Model()
    {
        var builder = new NetworkBuilder("own");
        var network = builder.Build(builder.Input("image", 3, 32).Convolution("conv", 8, kernel: 3, stride: 2).Relu("relu").GlobalPool("features"));
        var features = Backbone.Of("own", network, new RandomWeights(1), Preprocessing.Torchvision(32, 37));
        var head = new NetworkBuilder("own", [new("features", Input.Of(features.Network.OutputShape), [])]);
        using var softmax = new TorchNetwork(head.Build(Head.Softmax.Build(head.Node("features"), Classes.Length)), new RandomWeights(3));
        return ImageClassifier.Of(features, softmax, Classes);
    }

    private ExportResult Export(ImageClassifier model, ExportTarget target, string name = "flowers \"2\"", ExportInput input = ExportInput.Photo) => model.Export(
        _folder.File(name), new() { For = target, Input = input }, cancellation: TestContext.Current.CancellationToken);

    private string Read(string name) => File.ReadAllText(_folder.File(name));

    [Fact]
    public void Triton_gets_a_model_of_its_repository()
    {
        using var model = Model();

        var result = Export(model, ExportTarget.Triton);

        Assert.Equal(_folder.File("flowers \"2\"/1/model.onnx"), result.Files[0]);
        Assert.Equal(
            """
            name: "flowers \"2\""
            backend: "onnxruntime"
            max_batch_size: 0
            input [
              {
                name: "image"
                data_type: TYPE_UINT8
                dims: [ 1, -1, -1, 3 ]
              }
            ]
            output [
              {
                name: "probabilities"
                data_type: TYPE_FP32
                dims: [ 1, 3 ]
                label_filename: "labels.txt"
              }
            ]
            instance_group [
              {
                kind: KIND_CPU
              }
            ]

            """, Read("flowers \"2\"/config.pbtxt"));
        Assert.Equal(Classes, File.ReadAllLines(_folder.File("flowers \"2\"/labels.txt")));
        CheckAgainstConfiguration(result.Files[0], "UInt8", [1, -1, -1, 3]);
    }

    [Fact]
    public void Triton_takes_tensors_on_any_device()
    {
        using var model = Model();

        var result = Export(model, ExportTarget.Triton, "tensors", ExportInput.Tensor);

        Assert.Contains("name: \"input\"\n    data_type: TYPE_FP32\n    dims: [ 1, 3, 32, 32 ]", Read("tensors/config.pbtxt"), StringComparison.Ordinal);
        Assert.DoesNotContain("KIND_CPU", Read("tensors/config.pbtxt"), StringComparison.Ordinal);
        CheckAgainstConfiguration(result.Files[0], "Float", [1, 3, 32, 32]);
    }

    /// <summary>Triton refuses a model whose tensors are not those of its configuration.</summary>
    private static void CheckAgainstConfiguration(string path, string type, int[] sizes)
    {
        using var session = new InferenceSession(path);
        var input = Assert.Single(session.InputMetadata).Value;
        Assert.Equal(type, input.ElementDataType.ToString());
        Assert.Equal(sizes, input.Dimensions);
        Assert.Equal([1, Classes.Length], session.OutputMetadata["probabilities"].Dimensions);
    }

    [Fact]
    public void Transformers_js_gets_what_its_pipeline_loads_and_the_same_numbers()
    {
        using var model = Model();

        var result = Export(model, ExportTarget.TransformersJs, "flowers");

        var configuration = JsonNode.Parse(Read("flowers/config.json"))!;
        Assert.Equal(Classes, configuration["id2label"]!.AsObject().Select(entry => (string)entry.Value!));
        Assert.Equal(["0", "1", "2"], configuration["id2label"]!.AsObject().Select(entry => entry.Key));
        Assert.Equal(2, (int)configuration["label2id"]!["ß"]!);
        Assert.Equal(("resnet", "fp32"), ((string)configuration["model_type"]!, (string)configuration["transformers.js_config"]!["dtype"]!));
        var processor = JsonNode.Parse(Read("flowers/preprocessor_config.json"))!;
        foreach (var step in (string[])["do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_pad"]) Assert.False((bool)processor[step]!, step);
        Assert.Equal(_folder.File("flowers/onnx/model.onnx"), result.Files[0]);

        // As its image processor and pipeline do: planes of samples 0 to 255, softmax of the logits.
        var photo = TestImages.Photo(90, 70);
        var planes = new float[3 * 90 * 70];
        for (var i = 0; i < photo.Pixels.Length; i++) planes[i % 3 * 90 * 70 + i / 3] = photo.Pixels[i];
        using var session = new InferenceSession(result.Files[0]);
        using var input = OrtValue.CreateTensorValueFromMemory(planes, [1, 3, 70, 90]);
        using var run = new RunOptions();
        using var outputs = session.Run(run, ["pixel_values"], [input], ["logits"]);
        var exponentials = outputs[0].GetTensorDataAsSpan<float>().ToArray().Select(logit => Math.Exp(logit)).ToList();
        var expected = model.Predict(photo).Probabilities;
        Assert.All(expected.Zip(exponentials), pair => Assert.Equal(pair.First, pair.Second / exponentials.Sum(), 1e-3));
        using var classifier = Classifier.Open(result.Files[0]);
        Assert.True(classifier.Verify().IsPassed);
        Assert.All(classifier.Predict(photo).Probabilities.Zip(exponentials), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void Web_folder_has_the_page_and_the_pinned_runtime_and_names_no_other_place()
    {
        using var model = Model();

        var result = Export(model, ExportTarget.Web, "site");

        Assert.Equal(_folder.File("site/model.onnx"), result.Files[0]);
        // Of the npm package onnxruntime-web 1.30.0.
        Assert.Equal("3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2", Convert.ToHexStringLower(
            SHA256.HashData(File.ReadAllBytes(_folder.File("site/onnxruntime/ort-wasm-simd-threaded.wasm")))));
        foreach (var name in (string[])["index.html", "page.js", "worker.js", "classifier.js", "style.css"])
            Assert.DoesNotContain("://", Read($"site/{name}"), StringComparison.Ordinal);
        Assert.Contains("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'", Read("site/index.html"), StringComparison.Ordinal);
        Assert.DoesNotContain("style=", Read("site/index.html"), StringComparison.Ordinal);
        Assert.Equal(Classes, JsonNode.Parse(Read("site/parity.json"))!["classes"]!.AsArray().Select(name => (string)name!));
        using var classifier = Classifier.Open(result.Files[0]);
        Assert.True(classifier.Verify().IsPassed);
    }

    [Theory]
    [InlineData(ExportTarget.Web, ExportInput.Tensor)]
    [InlineData(ExportTarget.Web, ExportInput.PixelValues)]
    [InlineData(ExportTarget.Triton, ExportInput.PixelValues)]
    [InlineData(ExportTarget.TransformersJs, ExportInput.Tensor)]
    public void Input_that_a_target_does_not_take_is_refused(ExportTarget target, ExportInput input)
    {
        using var model = Model();

        Assert.Throws<GraftException>(() => Export(model, target, "out", input));

        Assert.False(Directory.Exists(_folder.File("out")));
    }

    [Fact]
    public void Folder_with_files_in_it_and_a_file_are_not_written_to_but_an_empty_folder_is()
    {
        using var model = Model();
        Directory.CreateDirectory(_folder.File("used"));
        File.WriteAllText(_folder.File("used/mine.txt"), "mine");
        Directory.CreateDirectory(_folder.File("empty"));

        Assert.Equal("output-folder-exists", Assert.Throws<GraftException>(() => Export(model, ExportTarget.Web, "used")).Code);
        Assert.Equal("output-folder-exists", Assert.Throws<GraftException>(() => Export(model, ExportTarget.Web, "used/mine.txt")).Code);

        Assert.Equal(["mine.txt"], Directory.EnumerateFileSystemEntries(_folder.File("used")).Select(Path.GetFileName));
        Export(model, ExportTarget.Triton, "empty");
        Assert.True(File.Exists(_folder.File("empty/config.pbtxt")));
    }

    [Fact]
    public void Folder_that_cannot_be_written_is_named_and_nothing_of_the_export_remains()
    {
        using var model = Model();
        File.WriteAllText(_folder.File("file"), "");

        var path = Path.Combine(_folder.FullName, "file", "site");

        var problem = Assert.Throws<GraftException>(() => model.Export(path, new() { For = ExportTarget.Web }, cancellation: TestContext.Current.CancellationToken));

        Assert.Equal("export-not-written", problem.Code);
        Assert.Contains(path, problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(".export-", problem.Message, StringComparison.Ordinal);
        Assert.Equal(["file"], Directory.EnumerateFileSystemEntries(_folder.FullName).Select(Path.GetFileName));
    }

    [Fact]
    public void Metadata_name_the_onnx_standards_keys_and_what_ultralytics_loaders_ask_for()
    {
        using var model = Model();

        using var photo = Classifier.Open(Export(model, ExportTarget.Triton, "photo").Files[0]);
        using var tensor = Classifier.Open(Export(model, ExportTarget.Triton, "tensor", ExportInput.Tensor).Files[0]);

        Assert.Equal(
            ("Rgb8", "SRGB", "NominalRange_0_255"),
            (photo.Metadata["Image.BitmapPixelFormat"], photo.Metadata["Image.ColorSpaceGamma"], photo.Metadata["Image.NominalPixelRange"]));
        // The range of normalized samples is none of the standard's.
        Assert.Equal(("Rgb8", false), (tensor.Metadata["Image.BitmapPixelFormat"], tensor.Metadata.ContainsKey("Image.NominalPixelRange")));
        Assert.Equal("{0: 'a', 1: 'it\\'s \"b\"', 2: 'ß'}", tensor.Metadata["names"]);
        Assert.Equal(
            ("classify", "[32, 32]", "1", "1"),
            (tensor.Metadata["task"], tensor.Metadata["imgsz"], tensor.Metadata["stride"], tensor.Metadata["batch"]));
        Assert.Equal("unknown", photo.Metadata["graft.license"]);
    }
}
