using System.Buffers.Binary;
using System.Text;

namespace Graft.Tests.Checkpoints;

/// <summary>Writes pickles opcode by opcode, sound ones and others.</summary>
internal sealed class PickleWriter
{
    private readonly List<byte> _bytes = [];

    public static byte[] Write(params Action<PickleWriter>[] parts)
    {
        var writer = new PickleWriter();
        writer.Raw(0x80, 2);
        foreach (var part in parts) part(writer);
        return [.. writer.Op('.')._bytes];
    }

    /// <summary>A dictionary as <c>state_dict()</c> gives it: ordered, with version numbers hung on it.</summary>
    public static Action<PickleWriter> Dictionary(params (string Key, Action<PickleWriter> Value)[] items) => pickle =>
    {
        pickle.Global("collections", "OrderedDict").Op(')').Op('R').Op('(');
        foreach (var (key, value) in items)
        {
            pickle.Text(key);
            value(pickle);
        }
        pickle.Op('u').Op('}').Text("_metadata").Op('}').Op('s').Op('b');
    };

    public static Action<PickleWriter> Tensor(
        string key, string storage, long count, long offset, long[] shape, long[] strides) => pickle =>
        pickle.Global("torch._utils", "_rebuild_tensor_v2").Op('(')
            .Op('(').Text("storage").Global("torch", storage).Text(key).Text("cpu").Number(count).Op('t').Op('Q')
            .Number(offset).Numbers(shape).Numbers(strides).Raw(0x89)
            .Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');

    public static Action<PickleWriter> Vector(string key, long count) =>
        Tensor(key, "FloatStorage", count, 0, [count], [1]);

    public PickleWriter Op(char opcode) => Raw((byte)opcode);

    public PickleWriter Raw(params ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public PickleWriter Line(string text) => Raw(Encoding.Latin1.GetBytes(text + "\n"));

    public PickleWriter Global(string module, string name) => Op('c').Line(module).Line(name);

    public PickleWriter Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return Op('X').Raw(BitConverter.GetBytes(bytes.Length)).Raw(bytes);
    }

    public PickleWriter Number(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Raw(0x8A, 8).Raw(bytes);
    }

    public PickleWriter Numbers(params long[] values)
    {
        Op('(');
        foreach (var value in values) Number(value);
        return Op('t');
    }
}
