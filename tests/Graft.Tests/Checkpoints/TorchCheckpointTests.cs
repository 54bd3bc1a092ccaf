using System.IO.Compression;
using Graft.Checkpoints;
using Graft.Testing;
using static Graft.Tests.Checkpoints.PickleWriter;

namespace Graft.Tests.Checkpoints;

public sealed class TorchCheckpointTests : IDisposable
{
    private static readonly byte[] SixFloats = TorchFile.Bytes(0f, 1f, 2f, 3f, 4f, 5f);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Both formats around one object that uses one storage, named 0.</summary>
    private static byte[] File(bool legacy, byte[] storage, int elementBytes, Action<PickleWriter> root) => legacy
        ? TorchFile.Legacy(Write(root), ("0", elementBytes, storage))
        : TorchFile.Zip(Write(root), new Dictionary<string, byte[]> { ["0"] = storage });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reads_views_of_a_shared_storage(bool legacy)
    {
        using var checkpoint = _folder.Open(File(legacy, SixFloats, 4, Dictionary(
            ("matrix", Tensor("0", "FloatStorage", 6, 0, [2, 3], [3, 1])),
            ("transposed", Tensor("0", "FloatStorage", 6, 0, [3, 2], [1, 3])),
            ("column", Tensor("0", "FloatStorage", 6, 1, [2, 1], [3, 1])),
            ("expanded", Tensor("0", "FloatStorage", 6, 4, [2, 2], [0, 1])),
            ("scalar", Tensor("0", "FloatStorage", 6, 5, [], [])),
            ("empty", Tensor("0", "FloatStorage", 6, 6, [0, 3], [3, 1])))));

        Assert.IsType<TorchCheckpoint>(checkpoint);
        Assert.Equal([0, 1, 2, 3, 4, 5], checkpoint.Values("matrix"));
        Assert.Equal([0, 3, 1, 4, 2, 5], checkpoint.Values("transposed"));
        Assert.Equal([3L, 2L], checkpoint.Find("transposed")!.Shape);
        Assert.Equal([1, 4], checkpoint.Values("column"));
        Assert.Equal([4, 5, 4, 5], checkpoint.Values("expanded"));
        Assert.Equal([5], checkpoint.Values("scalar"));
        Assert.Empty(checkpoint.Values("empty"));
    }

    [Theory]
    [InlineData("HalfStorage", TensorType.Float16, new byte[] { 0x00, 0x3C, 0x00, 0xC0 }, 2)]
    [InlineData("BFloat16Storage", TensorType.BFloat16, new byte[] { 0x80, 0x3F, 0x00, 0xC0 }, 2)]
    [InlineData("CharStorage", TensorType.Int8, new byte[] { 1, 254 }, 1)]
    [InlineData("ShortStorage", TensorType.Int16, new byte[] { 1, 0, 254, 255 }, 2)]
    [InlineData("IntStorage", TensorType.Int32, new byte[] { 1, 0, 0, 0, 254, 255, 255, 255 }, 4)]
    [InlineData("FloatStorage", TensorType.Float32, new byte[] { 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0 }, 4)]
    public void Reads_the_storage_types(string storage, TensorType type, byte[] data, int elementBytes)
    {
        foreach (var legacy in new[] { false, true })
        {
            using var checkpoint = _folder.Open(
                File(legacy, data, elementBytes, Dictionary(("x", Tensor("0", storage, 2, 0, [2], [1])))));

            Assert.Equal(type, checkpoint.Tensors[0].Type);
            Assert.Equal([1f, -2f], checkpoint.Values("x"));
        }
    }

    [Theory]
    [InlineData("state_dict")]
    [InlineData("model")]
    [InlineData("model_state_dict")]
    public void Finds_the_state_dictionary_beside_other_things(string key)
    {
        using var checkpoint = _folder.Open(File(false, SixFloats, 4, Dictionary(
            ("epoch", p => p.Number(3)),
            (key, Dictionary(("module.a", Vector("0", 6)), ("module.steps", p => p.Number(7)))),
            ("optimizer", Dictionary(("state", p => p.Op('}')))))));

        Assert.Equal(["module.a"], checkpoint.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void Keeps_the_prefix_module_where_not_every_name_has_it()
    {
        using var checkpoint = _folder.Open(
            File(false, SixFloats, 4, Dictionary(("module.a", Vector("0", 6)), ("b", Vector("0", 6)))));

        Assert.Equal(["module.a", "b"], checkpoint.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void Reads_parameters_and_python_2_text()
    {
        using var checkpoint = _folder.Open(File(true, SixFloats, 4, p =>
        {
            p.Global("collections", "OrderedDict").Op('(').Op(']').Op('(').Op('U').Raw(1, (byte)'w')
                .Global("torch._utils", "_rebuild_parameter").Op('(');
            Vector("0", 6)(p);
            p.Raw(0x88).Op('}').Op('t').Op('R').Raw(0x86).Op('e').Op('t').Op('R');
        }));
        // OrderedDict([("w", parameter)]): how Python 2 pickled a state dictionary.
        Assert.Equal([0, 1, 2, 3, 4, 5], checkpoint.Values("w"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Refuses_views_that_reach_outside_their_storage(bool legacy)
    {
        (long Offset, long[] Shape, long[] Strides)[] views =
        [
            (0, [7], [1]), (1, [6], [1]), (-1, [2], [1]), (0, [2, 3], [4, 1]), (0, [3], [-1]), (0, [-1], [1]),
            (7, [0], [1]), (0, [2], [long.MaxValue]), (long.MaxValue, [2], [1]),
            (0, [long.MaxValue, long.MaxValue], [0, 0]),
            (0, [long.MaxValue, 3], [long.MaxValue, 3]), (0, [2, 3], [1]),
        ];
        foreach (var (offset, shape, strides) in views)
        {
            var message = _folder.OpenFails(
                File(legacy, SixFloats, 4, Dictionary(("x", Tensor("0", "FloatStorage", 6, offset, shape, strides)))));
            Assert.Contains("outside its 6 stored elements", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Refuses_storages_that_are_absent_short_or_described_twice()
    {
        var pickle = Write(Dictionary(("x", Vector("0", 6))));
        var shortData = new Dictionary<string, byte[]> { ["0"] = new byte[20] };
        Assert.Contains("data/0", _folder.OpenFails(TorchFile.Zip(pickle)), StringComparison.Ordinal);
        Assert.Contains(
            "expected 6 elements", _folder.OpenFails(TorchFile.Zip(pickle, shortData)), StringComparison.Ordinal);
        Assert.Contains("is missing", _folder.OpenFails(TorchFile.Legacy(pickle)), StringComparison.Ordinal);
        Assert.Contains(
            "5 elements", _folder.OpenFails(TorchFile.Legacy(pickle, ("0", 4, new byte[20]))),
            StringComparison.Ordinal);
        Assert.Contains(
            "two ways", _folder.OpenFails(File(false, SixFloats, 4, Dictionary(
                ("x", Vector("0", 6)), ("y", Tensor("0", "HalfStorage", 12, 0, [12], [1]))))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Any_archive_name_will_do_and_big_endian_or_compressed_archives_are_refused()
    {
        var pickle = Write(Dictionary(("x", Vector("0", 6))));
        var storages = new Dictionary<string, byte[]> { ["0"] = SixFloats };

        using (var checkpoint = _folder.Open(TorchFile.Zip(pickle, storages, root: "résnet 18", byteOrder: null)))
            Assert.Equal([0, 1, 2, 3, 4, 5], checkpoint.Values("x"));
        var bigEndian = TorchFile.Zip(pickle, storages, byteOrder: "big");
        Assert.Contains("'big'", _folder.OpenFails(bigEndian), StringComparison.Ordinal);
        var compressed = TorchFile.Zip(pickle, storages, compression: CompressionLevel.Optimal);
        Assert.Contains("compressed", _folder.OpenFails(compressed), StringComparison.Ordinal);
    }

    [Fact]
    public void Objects_without_tensors_say_what_they_are()
    {
        var progress = TorchFile.Zip(Write(Dictionary(("epoch", p => p.Number(1)))));
        Assert.Contains("'epoch'", _folder.OpenFails(progress), StringComparison.Ordinal);
        var tensor = File(true, SixFloats, 4, Vector("0", 6));
        Assert.Contains("a single tensor", _folder.OpenFails(tensor), StringComparison.Ordinal);
        var pickle = Write(p => p.Op('}'));
        Assert.Contains("not one that torch.save wrote", _folder.OpenFails(pickle), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_cut_short_anywhere_fails_clearly(bool legacy) => _folder.EveryPrefixFails(
        File(legacy, SixFloats, 4, Dictionary(("x", Tensor("0", "FloatStorage", 6, 0, [3, 2], [1, 3])))));

    [Fact]
    public void Threads_may_read_at_once()
    {
        using var checkpoint = _folder.Open(File(false, SixFloats, 4, Dictionary(
            ("matrix", Tensor("0", "FloatStorage", 6, 0, [2, 3], [3, 1])),
            ("transposed", Tensor("0", "FloatStorage", 6, 0, [3, 2], [1, 3])))));

        Parallel.For(0, 200, i => Assert.Equal(
            i % 2 == 0 ? [0, 1, 2, 3, 4, 5] : [0f, 3, 1, 4, 2, 5],
            checkpoint.Values(i % 2 == 0 ? "matrix" : "transposed")));
    }
}
