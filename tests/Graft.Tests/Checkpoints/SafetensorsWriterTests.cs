using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.Tests.Checkpoints;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static TensorSource Source(string name, TensorType type, params float[] values) =>
        new(name, type, [values.Length], values);

    [Fact]
    public void What_is_written_reads_back_equal()
    {
        var path = _folder.File("model.safetensors");
        var large = Enumerable.Range(0, 2_500_000).Select(i => i / 7f).ToArray();
        SafetensorsWriter.Write(
            path,
            [
                Source("half", TensorType.Float16, 1, -2, 65504, float.NaN, float.NegativeInfinity),
                new("large", TensorType.Float32, [5, 500_000], large),
                new("scalar \"ü\"", TensorType.Float32, [], new[] { 3f }),
                new("none", TensorType.Float32, [0, 3], Array.Empty<float>()),
            ],
            new Dictionary<string, string> { ["classes"] = "[\"rose\",\"tulip\"]" });

        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal("[\"rose\",\"tulip\"]", checkpoint.Metadata["classes"]);
        Assert.Equal([1, -2, 65504, float.NaN, float.NegativeInfinity], checkpoint.Values("half"));
        Assert.Equal(TensorType.Float16, checkpoint.Find("half")!.Type);
        Assert.Equal([5L, 500_000L], checkpoint.Find("large")!.Shape);
        Assert.Equal(large, checkpoint.Values("large"));
        Assert.Equal([3f], checkpoint.Values("scalar \"ü\""));
        Assert.Empty(checkpoint.Values("none"));
        Assert.Equal([path], Directory.GetFiles(_folder.FullName));
    }

    [Fact]
    public void Data_is_aligned_for_readers_that_map_it()
    {
        var path = _folder.File("model.safetensors");
        SafetensorsWriter.Write(
            path, [Source("odd", TensorType.Float16, 1, 2, 3), Source("wide", TensorType.Float32, 4)]);

        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal(["wide", "odd"], checkpoint.Tensors.Select(tensor => tensor.Name));
        Assert.Equal(0, BitConverter.ToInt64(File.ReadAllBytes(path)) % 8);
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file_and_nothing_else()
    {
        var path = _folder.File("model.safetensors");
        SafetensorsWriter.Write(path, [Source("a", TensorType.Float32, 1)]);
        var before = File.ReadAllBytes(path);

        Assert.Throws<OperationCanceledException>(() => SafetensorsWriter.Write(
            path,
            [
                Source("a", TensorType.Float32, 2),
                new("b", TensorType.Float32, [4], (_, _) => throw new OperationCanceledException()),
            ]));

        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder.FullName));
    }

    [Fact]
    public void A_finished_write_replaces_the_old_file()
    {
        var path = _folder.File("model.safetensors");
        SafetensorsWriter.Write(path, [Source("a", TensorType.Float32, 1)]);
        SafetensorsWriter.Write(path, [Source("b", TensorType.Float32, 2)]);

        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal([2f], checkpoint.Values("b"));
    }

    [Fact]
    public void A_value_that_float16_cannot_hold_is_an_error()
    {
        var error = Assert.Throws<CheckpointException>(() =>
            SafetensorsWriter.Write(_folder.File("model.safetensors"), [Source("a", TensorType.Float16, 70000)]));

        Assert.Contains("'a'", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.FullName));
    }

    [Fact]
    public void An_absent_folder_or_a_folder_that_is_a_file_is_a_clear_error()
    {
        File.WriteAllText(_folder.File("file"), "");
        foreach (var path in new[] { "absent/model.safetensors", "file/model.safetensors" })
        {
            var error = Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(
                Path.Combine(_folder.FullName, path), [Source("a", TensorType.Float32, 1)]));
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Two_tensors_of_one_name_and_other_types_are_refused_before_anything_is_written()
    {
        var path = _folder.File("model.safetensors");
        Assert.Throws<ArgumentException>(() =>
            SafetensorsWriter.Write(path, [Source("a", TensorType.Float32, 1), Source("a", TensorType.Float32, 1)]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [Source("a", TensorType.UInt8, 1)]));
        Assert.Empty(Directory.GetFiles(_folder.FullName));
    }
}
