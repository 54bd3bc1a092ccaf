using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Networks.Onnx;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>An ONNX file in the place of a catalog network.</summary>
public sealed class OnnxBackboneTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private GraftCommand Graft => new(_folder.File("home")) { WorkingFolder = _folder.FullName };

    private string WriteDefaultBackbone()
    {
        using var backbone = Backbone.Load(EmbeddedBackbone.Name).WithInputSize(96, 96);
        var file = _folder.File("mine.onnx");
        File.WriteAllBytes(file, OnnxModel.Of(backbone.Network, backbone.Weights).ToArray());
        return file;
    }

    [Fact]
    public void It_trains_as_the_network_it_came_from_and_the_model_needs_it_no_more()
    {
        var file = WriteDefaultBackbone();
        using var original = Backbone.Load(EmbeddedBackbone.Name);
        var layer = original.CutBefore(original.Head!).Network.Output.Name;

        var own = Graft.Run("train", photos.Folder, "--backbone", "tiny", "--size", "96", "--out", "own", "--json");
        var onnx = Graft.Run(
            "train", photos.Folder, "--backbone", file, "--preprocessing", "torch", "--layer", layer, "--out", "onnx", "--json");
        File.Delete(file);
        var predicted = Graft.Run("predict", "onnx", Directory.GetFiles(photos.Folder, "*", SearchOption.AllDirectories)[0], "--json");

        Assert.True(own.ExitCode == 0, own.ToString());
        Assert.True(onnx.ExitCode == 0, onnx.ToString());
        Assert.True(predicted.ExitCode == 0, predicted.ToString());
        Assert.Equal("mine.onnx", onnx.Json.GetProperty("backbone").GetString());
        Assert.Equal(
            own.Json.GetProperty("validation").GetProperty("loss").GetDouble(), onnx.Json.GetProperty("validation").GetProperty("loss").GetDouble(), 1e-3);
    }

    [Fact]
    public void It_can_be_fine_tuned_and_shown()
    {
        var file = WriteDefaultBackbone();
        using var original = Backbone.Load(EmbeddedBackbone.Name);
        var layer = original.CutBefore(original.Head!).Network.Output.Name;

        var shown = Graft.Run("models", "show", file);
        var tuned = Graft.Run(
            "train", photos.Folder, "--backbone", file, "--preprocessing", "torch", "--layer", layer, "--strategy", "finetune", "--epochs", "1",
            "--stage2-epochs", "1", "--out", "tuned", "--json");

        Assert.True(shown.ExitCode == 0, shown.ToString());
        Assert.Contains(layer, shown.Output, StringComparison.Ordinal);
        Assert.Contains("can be fine-tuned", shown.Messages, StringComparison.Ordinal);
        Assert.True(tuned.ExitCode == 0, tuned.ToString());
    }

    [Fact]
    public void Its_tensors_are_shown_with_what_layer_takes()
    {
        var file = WriteDefaultBackbone();

        var shown = Graft.Run("models", "show", file);
        var json = Graft.Run("models", "show", file, "--json");

        Assert.True(shown.ExitCode == 0, shown.ToString());
        var tensors = json.Json.GetProperty("tensors").EnumerateArray().ToList();
        Assert.True(tensors.Count > 50);
        Assert.All(tensors, tensor => Assert.Contains(tensor.GetProperty("name").GetString()!, shown.Output, StringComparison.Ordinal));
        Assert.Contains("--layer takes any of these", shown.Output, StringComparison.Ordinal);
        Assert.Equal(2, Graft.Run("models", "show", file, "--classes", "3").ExitCode);
    }

    [Fact]
    public void Weights_that_are_not_finite_leave_no_half_JSON_document()
    {
        var weights = _folder.File("nan.safetensors");
        SafetensorsWriter.Write(weights, [.. BackboneCatalog.Find("squeezenet1_1").Build().Parameters.Select(parameter => new TensorSource(
            parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], (_, values) => values.Fill(float.NaN)))]);

        var result = Graft.Run(
            "predict", "squeezenet1_1", "--weights", weights, "--json", Directory.GetFiles(photos.Folder, "*", SearchOption.AllDirectories)[0]);

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Contains("nan.safetensors holds NaN", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void What_it_does_not_say_is_asked_for()
    {
        var file = WriteDefaultBackbone();

        var result = Graft.Run("train", photos.Folder, "--backbone", file);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--preprocessing", result.Messages);
    }

    [Theory]
    [InlineData("absent.onnx", "no ONNX file")]
    [InlineData("mine.onnx", "Leave --weights out", "--weights", "mine.onnx")]
    [InlineData("mine.onnx", "Leave --engine out", "--engine", "torch")]
    public void Options_that_cannot_be_meant_are_refused(string file, string message, params string[] more)
    {
        WriteDefaultBackbone();

        var result = Graft.Run(["train", photos.Folder, "--backbone", file, "--preprocessing", "tf", .. more]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Messages);
    }
}
