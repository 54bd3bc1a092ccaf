using System.Runtime.InteropServices;
using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.ParityTests.Checkpoints;

/// <summary>Real pretrained files, in every layout that people have on disk.</summary>
public class PretrainedFileTests
{
    [SharedTheory("weights")]
    [InlineData("keras/mobilenet_7_5_224_tf.h5", typeof(KerasCheckpoint), 137, 2_601_976)]
    [InlineData("keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5", typeof(KerasCheckpoint), 50, 722_496)]
    [InlineData("keras/resnet50_weights_tf_dim_ordering_tf_kernels.h5", typeof(KerasCheckpoint), 320, 25_636_712)]
    [InlineData("keras/inception_v3_to_mixed8.h5", typeof(KerasCheckpoint), 304, 10_674_848)]
    [InlineData("torchvision/mobilenet_v2_features.pth", typeof(TorchCheckpoint), 312, 2_258_036)]
    [InlineData("torchvision/mobilenet_v2_features.safetensors", typeof(SafetensorsCheckpoint), 312, 2_258_036)]
    [InlineData("torchvision/squeezenet1_1.pth", typeof(TorchCheckpoint), 52, 1_235_496)]
    [InlineData("embedded/graft_mobilenet_v2_050.safetensors", typeof(SafetensorsCheckpoint), 314, 965_038)]
    public void Opens_with_every_parameter(string file, Type type, int tensors, long parameters)
    {
        using var checkpoint = Open(file);

        Assert.IsType(type, checkpoint);
        Assert.Equal(tensors, checkpoint.Tensors.Count);
        Assert.Equal(parameters, checkpoint.Tensors.Sum(tensor => tensor.ElementCount));
        Assert.All(
            checkpoint.Tensors, tensor => Assert.True(Array.TrueForAll(Values(checkpoint, tensor), float.IsFinite)));
    }

    [SharedFact("weights/keras")]
    public void Layer_names_with_slashes_and_other_weight_names_give_plain_keys()
    {
        using var checkpoint = (KerasCheckpoint)Open("keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5");

        Assert.Equal(
            ["input_4", "conv1", "relu_conv1", "pool1", "fire2/squeeze1x1"],
            checkpoint.Layers.Take(5).Select(layer => layer.Name));
        Assert.Equal(["conv1/kernel", "conv1/bias"], checkpoint.Layers[1].TensorNames);
        Assert.Equal(["fire2/squeeze1x1/kernel", "fire2/squeeze1x1/bias"], checkpoint.Layers[4].TensorNames);
        Assert.Equal("2.0.0", checkpoint.Metadata["keras_version"]);
        Assert.Equal("tensorflow", checkpoint.Metadata["backend"]);
    }

    [SharedFact("weights/torchvision")]
    public void The_pth_and_the_safetensors_file_are_equal_bit_for_bit()
    {
        using var pth = Open("torchvision/mobilenet_v2_features.pth");
        using var safetensors = Open("torchvision/mobilenet_v2_features.safetensors");

        Assert.Equal(Entries(safetensors), Entries(pth));
        foreach (var tensor in pth.Tensors)
        {
            var expected = MemoryMarshal.AsBytes(Values(safetensors, tensor).AsSpan());
            var found = MemoryMarshal.AsBytes(Values(pth, tensor).AsSpan());
            Assert.True(expected.SequenceEqual(found), $"{tensor} differs");
        }
    }

    [SharedFact("weights/torchvision")]
    public void Pretrained_weights_written_as_safetensors_read_back_equal()
    {
        using var folder = new TemporaryFolder();
        using var original = Open("torchvision/squeezenet1_1.pth");
        var path = folder.File("squeezenet.safetensors");
        SafetensorsWriter.Write(path, [.. original.Tensors.Select(tensor =>
            new TensorSource(tensor.Name, TensorType.Float32, tensor.Shape, Values(original, tensor)))]);

        using var copy = Checkpoint.Open(path);
        Assert.Equal(Entries(original), Entries(copy));
        foreach (var tensor in original.Tensors) Assert.Equal(Values(original, tensor), Values(copy, tensor));
    }

    [SharedTheory("weights")]
    [InlineData("keras/mobilenet_7_5_224_tf.h5")]
    [InlineData("keras/resnet50_weights_tf_dim_ordering_tf_kernels.h5")]
    [InlineData("torchvision/mobilenet_v2_features.pth")]
    [InlineData("torchvision/mobilenet_v2_features.safetensors")]
    [InlineData("torchvision/squeezenet1_1.pth")]
    public void A_download_that_broke_off_fails_clearly(string file)
    {
        using var folder = new TemporaryFolder();
        var whole = File.ReadAllBytes(SharedFolder.Path($"weights/{file}"));
        var path = folder.File("broken");
        foreach (var part in new[] { 0.01, 0.5, 0.99 })
        {
            File.WriteAllBytes(path, whole[..(int)(whole.Length * part)]);
            var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose());
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
        }
        File.WriteAllBytes(path, whole[..^1]);
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose());
    }

    private static Checkpoint Open(string file) => Checkpoint.Open(SharedFolder.Path($"weights/{file}"));

    private static IEnumerable<string> Entries(Checkpoint checkpoint) =>
        checkpoint.Tensors.Select(tensor => tensor.ToString());

    private static float[] Values(Checkpoint checkpoint, TensorEntry tensor)
    {
        var values = new float[tensor.ElementCount];
        checkpoint.Read(tensor.Name, values);
        return values;
    }
}
