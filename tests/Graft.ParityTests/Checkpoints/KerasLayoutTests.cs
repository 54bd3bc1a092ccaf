using System.Text;
using System.Text.Json;
using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.ParityTests.Checkpoints;

/// <summary>reference/keras_layout: every value is a formula of the weight's name and index (README §3).</summary>
public class KerasLayoutTests
{
    private static readonly float[] Table =
        [.. Enumerable.Range(0, 1021).Select(j => ((int)(Mix((uint)j) % 128) - 64) / 64f)];

    [SharedTheory("reference/keras_layout")]
    [InlineData("mobilenet")]
    [InlineData("mobilenet_v2")]
    [InlineData("resnet50")]
    [InlineData("vgg16")]
    [InlineData("vgg19")]
    [InlineData("inception_v3")]
    [InlineData("xception")]
    public void Every_value_equals_the_formula_in_the_order_of_the_layers(string network)
    {
        var description = Json("reference/keras_layout/index.json").GetProperty(network);
        var gain = description.GetProperty("gain").GetDouble();
        var parameters = Json($"reference/networks/keras/{network}.json").GetProperty("params").EnumerateArray();
        using var checkpoint = Assert.IsType<KerasCheckpoint>(Checkpoint.Open(
            SharedFolder.Path($"reference/keras_layout/{description.GetProperty("file").GetString()}")));

        Assert.Equal(
            description.GetProperty("params").GetInt64(), checkpoint.Tensors.Sum(tensor => tensor.ElementCount));
        Assert.Equal(
            checkpoint.Layers.SelectMany(layer => layer.TensorNames), checkpoint.Tensors.Select(tensor => tensor.Name));
        foreach (var (tensor, parameter) in checkpoint.Tensors.Zip(parameters))
        {
            var name = parameter.GetProperty("name").GetString()!;
            Assert.Equal(parameter.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()), tensor.Shape);
            // The VGG files have the names of Keras 1: block1_conv1_W_1 for block1_conv1/kernel.
            if (network.StartsWith("vgg", StringComparison.Ordinal))
                Assert.Equal(name.Split('/')[0], tensor.Name.Split('/')[0]);
            else
                Assert.Equal(name, tensor.Name);
            var expected = Expected(name, parameter, gain, tensor.ElementCount);
            var found = new float[tensor.ElementCount];
            checkpoint.Read(tensor.Name, found);
            Assert.True(expected.AsSpan().SequenceEqual(found), $"{tensor} differs from the formula");
        }
    }

    private static float[] Expected(string name, JsonElement parameter, double gain, long count)
    {
        var start = Crc32(name);
        float Value(long i) => Table[(i + start) % Table.Length];
        Func<float, float> scale;
        switch (parameter.GetProperty("kind").GetString())
        {
            case "kernel":
                var exponent = Math.Round(Math.Log2(Math.Sqrt(3 * gain / parameter.GetProperty("fan_in").GetDouble())));
                scale = t => t * (float)Math.Pow(2, exponent);
                break;
            case "gamma" or "var": scale = t => 1 + t / 2; break;
            default: scale = t => t / 8; break;
        }
        var values = new float[count];
        for (var i = 0; i < values.Length; i++) values[i] = scale(Value(i));
        return values;
    }

    private static uint Mix(uint x)
    {
        x = (x ^ (x >> 16)) * 0x85EBCA6B;
        x = (x ^ (x >> 13)) * 0xC2B2AE35;
        return x ^ (x >> 16);
    }

    private static uint Crc32(string text)
    {
        var crc = uint.MaxValue;
        foreach (var letter in Encoding.UTF8.GetBytes(text))
        {
            crc ^= letter;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }

    private static JsonElement Json(string path) =>
        JsonDocument.Parse(File.ReadAllText(SharedFolder.Path(path))).RootElement;
}
