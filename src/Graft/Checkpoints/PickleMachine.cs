using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Graft.Checkpoints;

/// <summary>
/// Reads the pickles that <c>torch.save</c> writes, and nothing more: the opcodes that build numbers, text, lists and
/// dictionaries, and the globals of <see cref="TorchGlobals"/>. What any other global would build becomes a
/// <see cref="PickleObject"/>, which keeps its values and has no behavior; there is no way from a pickle to code. Time and memory are
/// bounded.
/// </summary>
internal sealed class PickleMachine
{
    /// <summary>A state dictionary of a thousand tensors takes a tenth of a megabyte and 40,000 values.</summary>
    private const long LengthLimitBytes = 16 << 20;
    private const int ValueLimit = 2_000_000;
    private const int TextLimitBytes = 1 << 20;
    private const int LongLimitBytes = 32;
    private const int NameLimitBytes = 512;

    private static readonly object Mark = new();

    private readonly Stream _stream;
    private readonly Func<PickleTuple, object> _resolvePersistentId;
    private readonly long _end;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _values;

    private PickleMachine(Stream stream, Func<PickleTuple, object> resolvePersistentId)
    {
        (_stream, _resolvePersistentId) = (stream, resolvePersistentId);
        _end = Math.Min(stream.Length, stream.Position + LengthLimitBytes);
    }

    /// <summary>Reads one pickle and leaves the stream after it.</summary>
    /// <param name="stream">A seekable stream; cheap for single bytes.</param>
    /// <param name="resolvePersistentId">Makes an object of a persistent id, which is always a tuple here.</param>
    /// <exception cref="PickleException">The pickle is damaged, or asks for what is not allowed.</exception>
    public static object? Load(Stream stream, Func<PickleTuple, object>? resolvePersistentId = null) =>
        new PickleMachine(stream, resolvePersistentId ?? (_ => throw PickleException.Damaged("a misplaced storage")))
            .Run();

    private object? Run()
    {
        while (true)
        {
            var opcode = ReadByte();
            switch ((char)opcode)
            {
                case '\u0080':
                    if (ReadByte() is > 5 and var protocol) throw new PickleException($"pickle protocol {protocol}");
                    break;
                case '\u0095': ReadBytes(8); break;
                case '.': return Pop();
                case '(': Push(Mark); _marks.Add(_stack.Count); break;
                case '0': Pop(); break;
                case '1': PopToMark(); break;
                case '2': Push(Peek()); break;

                case 'N': Push(null); break;
                case '\u0088': Push(true); break;
                case '\u0089': Push(false); break;
                case 'K': Push((long)ReadByte()); break;
                case 'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(ReadBytes(2))); break;
                case 'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(ReadBytes(4))); break;
                case 'I': PushNumber(ReadLine()); break;
                case 'L': PushNumber(ReadLine().TrimEnd('L')); break;
                case '\u008A': PushLong(ReadBytes(ReadByte(), LongLimitBytes)); break;
                case '\u008B': PushLong(ReadBytes(ReadUInt32(), LongLimitBytes)); break;
                case 'G': Push(BinaryPrimitives.ReadDoubleBigEndian(ReadBytes(8))); break;
                case 'F': PushDouble(ReadLine()); break;

                // Python 2 wrote its plain strings as bytes: official weights of 2017 have such keys.
                case 'X': Push(ReadText(ReadUInt32())); break;
                case 'T': Push(ReadText(ReadUInt32())); break;
                case 'U': Push(ReadText(ReadByte())); break;
                case '\u008C': Push(ReadText(ReadByte())); break;
                case '\u008D': Push(ReadText(ReadUInt64())); break;
                case 'B': Push(ReadBytes(ReadUInt32(), TextLimitBytes)); break;
                case 'C': Push(ReadBytes(ReadByte(), TextLimitBytes)); break;
                case '\u008E': Push(ReadBytes(ReadUInt64(), TextLimitBytes)); break;

                case ')': Push(new PickleTuple([])); break;
                case 't': Push(new PickleTuple(PopToMark())); break;
                case '\u0085': PushTuple(1); break;
                case '\u0086': PushTuple(2); break;
                case '\u0087': PushTuple(3); break;
                case ']': Push(new List<object?>()); break;
                case 'l': Push(new List<object?>(PopToMark())); break;
                case '\u008F': Push(new PickleObject("builtins.set")); break;
                case '\u0090': PopToMark(); Peek<PickleObject>(); break;
                case '\u0091': PopToMark(); Push(new PickleObject("builtins.frozenset")); break;
                case 'a': Append([Pop()]); break;
                case 'e': Append(PopToMark()); break;
                case '}': Push(new PickleDictionary()); break;
                case 'd': Push(Fill(PopToMark(), new())); break;
                case 's': SetItem(value: Pop(), key: Pop()); break;
                case 'u': Fill(PopToMark(), Peek<PickleDictionary>()); break;

                case 'p': _memo[ReadIndex()] = Peek(); break;
                case 'q': _memo[ReadByte()] = Peek(); break;
                case 'r': _memo[ReadUInt32()] = Peek(); break;
                case '\u0094': _memo[(uint)_memo.Count] = Peek(); break;
                case 'g': Push(Recall(ReadIndex())); break;
                case 'h': Push(Recall(ReadByte())); break;
                case 'j': Push(Recall(ReadUInt32())); break;

                case 'c': Push(TorchGlobals.Resolve(module: ReadLine(), name: ReadLine())); break;
                case '\u0093': Push(TorchGlobals.Resolve(name: Pop<string>(), module: Pop<string>())); break;
                case 'R' or '\u0081': Call(arguments: Pop<PickleTuple>(), function: Pop()); break;
                case '\u0092': Pop(); Call(arguments: Pop<PickleTuple>(), function: Pop()); break;
                case 'b': Build(state: Pop()); break;
                case 'Q': Push(_resolvePersistentId(Pop<PickleTuple>())); break;
                // Names a class in the stream and builds it: never written by torch.save, liked by attackers.
                case 'i': throw TorchGlobals.Refusal(module: ReadLine(), name: ReadLine());

                default:
                    throw new PickleException(opcode is > 0x20 and < 0x7F
                        ? $"the pickle instruction '{(char)opcode}', which builds no tensor"
                        : $"the pickle instruction 0x{opcode:X2}, which builds no tensor");
            }
        }
    }

    private void Call(PickleTuple arguments, object? function)
    {
        foreach (var list in arguments.Items.OfType<List<object?>>()) Charge(list.Count);
        Push(function switch
        {
            PickleGlobal global => global.Call(arguments),
            PickleObject called => new PickleObject(called.Name),
            _ => throw PickleException.Damaged("a call of something that is no function"),
        });
    }

    /// <summary>The attributes of an object, which may have them in a pair with those of its slots.</summary>
    private void Build(object? state)
    {
        switch (Peek())
        {
            case PickleObject built:
                if (state is PickleTuple { Items: [var attributes, _] }) state = attributes;
                if (state is not PickleDictionary values) break;
                Charge(values.Items.Count);
                foreach (var (key, value) in values.Items) built.Set(key, value);
                break;
            // state_dict() hangs its version numbers on the dictionary, and a tensor may have attributes: nothing that is needed.
            case PickleDictionary or TorchTensor: break;
            default: throw PickleException.Damaged("attributes of something that has none");
        }
    }

    private void Append(object?[] items)
    {
        switch (Peek())
        {
            case List<object?> list: list.AddRange(items); break;
            case PickleObject: break;
            default: throw PickleException.Damaged("expected a list");
        }
    }

    private void SetItem(object? value, object? key) => Peek<PickleDictionary>().Set(key, value);

    private static PickleDictionary Fill(object?[] items, PickleDictionary dictionary)
    {
        if (items.Length % 2 != 0) throw PickleException.Damaged("a key without a value");
        for (var i = 0; i < items.Length; i += 2) dictionary.Set(items[i], items[i + 1]);
        return dictionary;
    }

    private void Push(object? value)
    {
        Charge(1);
        _stack.Add(value);
    }

    private void Charge(int values)
    {
        _values += values;
        if (_values > ValueLimit) throw PickleException.Damaged($"its pickle builds over {ValueLimit} values");
    }

    private void PushTuple(int count)
    {
        var items = new object?[count];
        for (var i = count - 1; i >= 0; i--) items[i] = Pop();
        Push(new PickleTuple(items));
    }

    private void PushLong(byte[] littleEndian)
    {
        var value = new BigInteger(littleEndian);
        Push(value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value);
    }

    private void PushNumber(string digits) => Push(digits switch
    {
        "00" => false,
        "01" => true,
        _ => long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw PickleException.Damaged("something that is not a number"),
    });

    private void PushDouble(string digits) =>
        Push(double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw PickleException.Damaged("something that is not a number"));

    private object? Peek()
    {
        if (_stack.Count == 0 || _stack[^1] == Mark) throw PickleException.Damaged("its stack is empty");
        return _stack[^1];
    }

    private T Peek<T>() where T : class =>
        Peek() as T ?? throw PickleException.Damaged($"expected a {typeof(T).Name}");

    private object? Pop()
    {
        var value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private T Pop<T>() where T : class
    {
        var value = Peek<T>();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] PopToMark()
    {
        if (_marks.Count == 0) throw PickleException.Damaged("a mark is missing");
        var start = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        var items = _stack[start..].ToArray();
        _stack.RemoveRange(start - 1, _stack.Count - start + 1);
        return items;
    }

    private object? Recall(uint index) =>
        _memo.TryGetValue(index, out var value)
            ? value
            : throw PickleException.Damaged($"nothing is stored as {index}");

    private byte ReadByte()
    {
        if (_stream.Position >= _end) throw AtEnd();
        return (byte)_stream.ReadByte();
    }

    private byte[] ReadBytes(int count)
    {
        if (_end - _stream.Position < count) throw AtEnd();
        var bytes = new byte[count];
        _stream.ReadExactly(bytes);
        return bytes;
    }

    private byte[] ReadBytes(ulong count, int limit) => count <= (ulong)limit
        ? ReadBytes((int)count)
        : throw PickleException.Damaged($"a value of {count} bytes");

    private uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(ReadBytes(4));

    private ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(ReadBytes(8));

    private uint ReadIndex() =>
        uint.TryParse(ReadLine(), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? index
            : throw PickleException.Damaged("something that is not a memo index");

    private string ReadText(ulong count) => Encoding.UTF8.GetString(ReadBytes(count, TextLimitBytes));

    private string ReadLine()
    {
        var line = new StringBuilder();
        for (var next = ReadByte(); next != '\n'; next = ReadByte())
        {
            if (line.Length == NameLimitBytes) throw PickleException.Damaged("a name without an end");
            line.Append((char)next);
        }
        return line.ToString().TrimEnd('\r');
    }

    private PickleException AtEnd() => PickleException.Damaged(
        _end < _stream.Length ? $"its pickle is over {LengthLimitBytes >> 20} MB long" : "it ends early (cut short?)");
}

internal sealed class PickleTuple(object?[] items)
{
    public IReadOnlyList<object?> Items { get; } = items;
}

/// <summary>A Python dictionary; only its keys that are text or whole numbers are kept, in order.</summary>
internal class PickleDictionary
{
    public OrderedDictionary<string, object?> Items { get; } = [];

    public void Set(object? key, object? value)
    {
        if (key is string text) Items[text] = value;
        else if (key is long number) Items[number.ToString(CultureInfo.InvariantCulture)] = value;
    }
}

/// <summary>An object of a class that is unknown here: its attributes, or the items of a class that is a dictionary. Never code.</summary>
internal sealed class PickleObject(string name) : PickleDictionary
{
    public string Name { get; } = name;
}

/// <summary>A function or class that a pickle names; an unknown one makes a <see cref="PickleObject"/> of any arguments.</summary>
internal sealed class PickleGlobal(string name, Func<IReadOnlyList<object?>, object?>? call)
{
    public string Name { get; } = name;

    public object? Call(PickleTuple arguments) =>
        call is null ? new PickleObject(Name) : call(arguments.Items);
}

/// <summary>Why a pickle is not read; <see cref="TorchCheckpoint"/> turns it into the message for the user.</summary>
internal sealed class PickleException(string what, bool isDamage = false) : Exception(what)
{
    public bool IsDamage { get; } = isDamage;

    public static PickleException Damaged(string what) => new(what, isDamage: true);
}
