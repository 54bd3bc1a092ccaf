using System.Text;
using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.Tests.Checkpoints;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("tensors")]
    [InlineData("metadata")]
    [InlineData("shape")]
    public void A_header_of_a_million_entries_is_refused_soon(string what)
    {
        var json = new System.Text.StringBuilder("{");
        if (what == "metadata") json.Append("\"__metadata__\":{").AppendJoin(',', Enumerable.Range(0, 1_000_000).Select(number => $"\"{number}\":\"\"")).Append('}');
        if (what == "tensors") json.AppendJoin(',', Enumerable.Range(0, 1_000_000).Select(number => $"\"{number}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"));
        if (what == "shape") json.Append("\"x\":{\"dtype\":\"F32\",\"shape\":[0").Insert(json.Length, ",1", 1_000_000).Append("],\"data_offsets\":[0,0]}");
        var header = System.Text.Encoding.UTF8.GetBytes(json.Append('}').ToString());
        byte[] file = [.. BitConverter.GetBytes((long)header.Length), .. header];
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Contains(what == "shape" ? "more than 64" : "more than 100000", _folder.OpenFails(file), StringComparison.Ordinal);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256L << 20);
    }

    public void Dispose() => _folder.Dispose();

    private static byte[] File(string header, params byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];
    }

    /// <summary>Writes <c>name type [shape] [begin,end]; …</c> as the header's JSON.</summary>
    private static string Header(string tensors) =>
        $"{{{string.Join(',', tensors.Split("; ").Select(tensor => tensor.Split(' ')).Select(parts =>
            $$"""
            "{{parts[0]}}":{"dtype":"{{parts[1]}}","shape":{{parts[2]}},"data_offsets":{{parts[3]}}}
            """))}}}";

    [Fact]
    public void Reads_tensors_in_the_order_of_the_header_and_its_metadata()
    {
        using var checkpoint = _folder.Open(File(
            """{"__metadata__":{"format":"pt"},""" + Header("b F32 [2,1] [4,12]; a F32 [] [0,4]")[1..] + "  ",
            TorchFile.Bytes(1f, 2f, 3f)));

        Assert.IsType<SafetensorsCheckpoint>(checkpoint);
        Assert.Equal(["b", "a"], checkpoint.Tensors.Select(tensor => tensor.Name));
        Assert.Equal([2L, 1L], checkpoint.Tensors[0].Shape);
        Assert.Equal("pt", checkpoint.Metadata["format"]);
        Assert.Equal([2f, 3f], checkpoint.Values("b"));
        Assert.Equal([1f], checkpoint.Values("a"));
    }

    public static TheoryData<string, byte[], float[]> Types => new()
    {
        { "BOOL", [0, 1, 7], [0, 1, 1] },
        { "U8", [0, 255], [0, 255] },
        { "I8", [1, 255], [1, -1] },
        { "U16", TorchFile.Bytes<ushort>(65535), [65535] },
        { "I16", TorchFile.Bytes<short>(-2), [-2] },
        { "U32", TorchFile.Bytes(4_000_000_000u), [4e9f] },
        { "I32", TorchFile.Bytes(-3), [-3] },
        { "U64", TorchFile.Bytes(1UL << 63), [9223372036854775808f] },
        { "I64", TorchFile.Bytes(-5L, 16777217L), [-5, 16777216] },
        { "F16", TorchFile.Bytes<ushort>(0x3C00, 0xC000, 0x7BFF, 1), [1, -2, 65504, 5.9604645e-8f] },
        { "F16", TorchFile.Bytes<ushort>(0x7C00, 0xFC00), [float.PositiveInfinity, float.NegativeInfinity] },
        { "BF16", [0x80, 0x3F, 0x49, 0xC0], [1, -3.140625f] },
        { "F32", TorchFile.Bytes(float.NaN, -0f, float.Epsilon), [float.NaN, -0f, float.Epsilon] },
        { "F64", TorchFile.Bytes(0.1, 1e300), [0.1f, float.PositiveInfinity] },
    };

    [Theory]
    [MemberData(nameof(Types))]
    public void Converts_every_type_to_float32_at_any_alignment(string type, byte[] data, float[] expected)
    {
        using var checkpoint = _folder.Open(File(
            Header($"pad U8 [1] [0,1]; x {type} [{expected.Length}] [1,{data.Length + 1}]"),
            [9, .. data]));

        Assert.Equal(
            expected.Select(BitConverter.SingleToUInt32Bits),
            checkpoint.Values("x").Select(BitConverter.SingleToUInt32Bits));
    }

    [Theory]
    [InlineData("a F32 [2] [0,4]", 4, "does not fit")]
    [InlineData("a F32 [1] [4,0]", 4, "does not fit")]
    [InlineData("a F32 [9223372036854775807,9223372036854775807,4] [0,4]", 4, "does not fit")]
    [InlineData("a F32 [1] [-4,0]", 4, "whole numbers")]
    [InlineData("a F32 [1.5] [0,4]", 4, "whole numbers")]
    [InlineData("a F32 [-1] [0,4]", 4, "whole numbers")]
    [InlineData("a F32 [1] [0,4]", 3, "ends at byte 4")]
    [InlineData("a F32 [1] [0,4]", 5, "end at byte 4 of 5")]
    [InlineData("a F32 [1] [4,8]", 8, "expected 0")]
    [InlineData("a F32 [1] [0,4]; b F32 [1] [0,4]", 4, "expected 4")]
    [InlineData("a F32 [1] [0,4]; b F32 [1] [2,6]", 6, "expected 4")]
    [InlineData("a F32 [1] [0,4]; b F32 [1] [8,12]", 12, "expected 4")]
    [InlineData("a F32 [1] [0,4]; a F32 [1] [4,8]", 8, "'a' twice")]
    [InlineData("a F8_E4M3 [4] [0,4]", 4, "F8_E4M3")]
    [InlineData("a F32 [1] [0,4,8]", 8, "two data_offsets")]
    [InlineData("\\ud800 F32 [1] [0,4]", 4, "not a sound")]
    public void Refuses_tensors_that_break_the_format(string tensors, int dataLength, string expected) =>
        Assert.Contains(
            expected, _folder.OpenFails(File(Header(tensors), new byte[dataLength])), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}""", "'dtype' twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}""", "unknown field 'x'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[0]}}""", "two data_offsets")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", "'__metadata__' twice")]
    [InlineData("""{"__metadata__":{"k":1}}""", "must be a JSON string")]
    [InlineData("""{"__metadata__":[]}""", "must be a JSON object")]
    [InlineData("""{"a":[]}""", "must be a JSON object")]
    [InlineData("""{"__metadata__":{}""", "not a sound")]
    [InlineData("""{} []""", "not a sound")]
    [InlineData("""{nonsense}""", "not a sound")]
    public void Refuses_headers_that_break_the_format(string header, string expected) =>
        Assert.Contains(expected, _folder.OpenFails(File(header)), StringComparison.Ordinal);

    [Theory]
    [InlineData(100_000_001, "100 MB")]
    [InlineData(50_000_000, "only 2 follow")]
    public void Refuses_a_header_longer_than_the_format_or_the_file(long length, string expected) =>
        Assert.Contains(
            expected, _folder.OpenFails([.. BitConverter.GetBytes(length), .. "{}"u8]), StringComparison.Ordinal);

    [Fact]
    public void A_file_cut_short_anywhere_fails_clearly() =>
        _folder.EveryPrefixFails(File(Header("a F32 [2] [0,8]; b U8 [3] [8,11]"), new byte[11]));

    [Fact]
    public void Empty_tensors_and_files_without_tensors_are_sound()
    {
        using var empty = _folder.Open(File(Header("a F32 [4611686018427387904,4,0] [0,0]")));
        Assert.Empty(empty.Values("a"));
        using var none = _folder.Open(File("{}"));
        Assert.Empty(none.Tensors);
    }

    [Fact]
    public void Reading_needs_a_known_name_and_the_right_room()
    {
        using var checkpoint = _folder.Open(File(Header("a F32 [1] [0,4]"), new byte[4]));

        Assert.Throws<KeyNotFoundException>(() => checkpoint.Read("b", new float[1]));
        Assert.Throws<ArgumentException>(() => checkpoint.Read("a", new float[2]));
        Assert.Null(checkpoint.Find("b"));
    }
}
