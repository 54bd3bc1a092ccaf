namespace Graft.Checkpoints;

/// <summary>
/// The globals that building tensors needs. Of others a pickle builds values without behavior, except for those that only an attack
/// has a use for: such a file is refused as a whole, by name.
/// </summary>
internal static class TorchGlobals
{
    private const int RankLimit = 64;

    private static readonly Dictionary<string, TensorType> StorageTypes = new()
    {
        ["torch.BoolStorage"] = TensorType.Boolean,
        ["torch.ByteStorage"] = TensorType.UInt8,
        ["torch.CharStorage"] = TensorType.Int8,
        ["torch.ShortStorage"] = TensorType.Int16,
        ["torch.IntStorage"] = TensorType.Int32,
        ["torch.LongStorage"] = TensorType.Int64,
        ["torch.HalfStorage"] = TensorType.Float16,
        ["torch.BFloat16Storage"] = TensorType.BFloat16,
        ["torch.FloatStorage"] = TensorType.Float32,
        ["torch.DoubleStorage"] = TensorType.Float64,
    };

    private static readonly Dictionary<string, PickleGlobal> Known = ((PickleGlobal[])
    [
        new("collections.OrderedDict", OrderedDictionary),
        new("torch._utils._rebuild_tensor", Tensor),
        new("torch._utils._rebuild_tensor_v2", Tensor),
        new("torch._utils._rebuild_parameter", Parameter),
        new("torch._utils._rebuild_parameter_with_state", Parameter),
        new("torch._tensor._rebuild_from_type_v2", OfType),
        new("torch.Size", arguments => arguments is [PickleTuple sizes] ? sizes : throw Unexpected("torch.Size")),
        new("torch.device", _ => null),
        // What TorchScript's programs mark lists and dictionaries with, for their types.
        .. ((string[])["build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag"])
            .Select(name => new PickleGlobal($"torch.jit._pickle.{name}", arguments => arguments is [var value, ..] ? value : throw Unexpected(name))),
    ]).Concat(StorageTypes.Keys.Select(name => new PickleGlobal(name, null))).ToDictionary(known => known.Name);

    /// <summary>Modules that run programs, open files and connections, or import others, and what evaluates text.</summary>
    private static readonly HashSet<string> AttackModules = new(StringComparer.Ordinal)
    {
        "os", "posix", "nt", "subprocess", "sys", "shutil", "socket", "pty", "runpy", "importlib", "imp", "ctypes", "code", "commands",
        "webbrowser", "urllib", "http", "requests", "httpx", "aiohttp", "ssl", "asyncio", "multiprocessing", "threading", "pip", "pickle", "_pickle",
        "dill", "cloudpickle", "marshal", "types", "io", "tempfile", "bdb", "pdb", "timeit", "cProfile", "profile", "trace", "doctest",
        "operator", "_operator", "functools", "_functools", "platform", "site", "venv", "pydoc", "uuid", "zipimport", "platformdirs", "signal",
    };

    private static readonly HashSet<string> ElementTypes = new(StringComparer.Ordinal)
    {
        "float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64", "complex128", "strided", "contiguous_format",
    };

    private static readonly HashSet<string> HarmlessBuiltins = new(StringComparer.Ordinal)
    {
        "set", "frozenset", "list", "dict", "tuple", "bytes", "bytearray", "complex", "slice", "range", "object", "int", "float", "bool", "str",
    };

    /// <exception cref="PickleException">Only an attack names it.</exception>
    public static PickleGlobal Resolve(string module, string name)
    {
        if (Known.TryGetValue($"{module}.{name}", out var known)) return known;
        var isAttack = module is "builtins" or "__builtin__" ? !HarmlessBuiltins.Contains(name)
            : AttackModules.Contains(module.Split('.')[0]) ? (module, name) is not ("functools", "partial")
            // A function of torch, or something inside something else, is no class of data.
            : name.Contains('.') || (module.StartsWith("torch", StringComparison.Ordinal) && IsFunction(name));
        return isAttack ? throw Refusal(module, name) : new(FullName(module, name), null);
    }

    public static TensorType? StorageType(PickleGlobal global) =>
        StorageTypes.TryGetValue(global.Name, out var type) ? type : null;

    public static PickleException Refusal(string module, string name) => new($"'{FullName(module, name)}'");

    /// <summary>By Python's custom; <c>torch.float32</c> and its like are values, and <c>_rebuild…</c> builds tensors.</summary>
    private static bool IsFunction(string name) =>
        char.IsLower(name.TrimStart('_').FirstOrDefault('a')) && !name.StartsWith("_rebuild", StringComparison.Ordinal) && !ElementTypes.Contains(name);

    private static string FullName(string module, string name) =>
        new([.. $"{module}.{name}".Take(120).Select(c => c is >= ' ' and <= '~' ? c : '?')]);

    private static PickleDictionary OrderedDictionary(IReadOnlyList<object?> arguments)
    {
        var dictionary = new PickleDictionary();
        if (arguments is []) return dictionary;
        if (arguments is not [List<object?> pairs]) throw Unexpected("collections.OrderedDict");
        foreach (var pair in pairs)
        {
            switch (pair)
            {
                case PickleTuple { Items: [var key, var value] }: dictionary.Set(key, value); break;
                case List<object?> and [var key, var value]: dictionary.Set(key, value); break;
                default: throw Unexpected("collections.OrderedDict");
            }
        }
        return dictionary;
    }

    /// <summary>Arguments: storage, offset, size, stride, then flags that do not matter here.</summary>
    private static object Tensor(IReadOnlyList<object?> arguments)
    {
        // Of elements that are not read here, such as complex numbers.
        if (arguments is [PickleObject, ..]) return new PickleObject("torch.Tensor");
        if (arguments is not [TorchStorage storage, long offset, PickleTuple size, PickleTuple stride, ..])
            throw Unexpected("torch._utils._rebuild_tensor_v2");
        var tensor = new TorchTensor(storage, offset, Numbers(size), Numbers(stride));
        if (!tensor.LiesInStorage)
        {
            throw PickleException.Damaged(
                $"a tensor of shape [{string.Join(", ", tensor.Shape)}], " +
                $"strides [{string.Join(", ", tensor.Strides)}] and offset {offset} reaches outside its " +
                $"{storage.ElementCount} stored elements");
        }
        return tensor;
    }

    private static object Parameter(IReadOnlyList<object?> arguments) =>
        arguments is [TorchTensor or PickleObject, ..] ? arguments[0]! : throw Unexpected("torch._utils._rebuild_parameter");

    /// <summary>A tensor of a class of its own or with attributes: how it is built, the class, the arguments, the attributes.</summary>
    private static object? OfType(IReadOnlyList<object?> arguments) =>
        arguments is [PickleGlobal build, _, PickleTuple values, ..] ? build.Call(values) : throw Unexpected("torch._tensor._rebuild_from_type_v2");

    private static long[] Numbers(PickleTuple tuple)
    {
        if (tuple.Items.Count > RankLimit) throw PickleException.Damaged($"a tensor of {tuple.Items.Count} dimensions");
        if (!tuple.Items.All(item => item is long)) throw PickleException.Damaged("a size that is no number");
        return [.. tuple.Items.Cast<long>()];
    }

    private static PickleException Unexpected(string name) =>
        PickleException.Damaged($"{name} has unexpected arguments");
}

/// <summary>Elements in the file; <see cref="Position"/> is known when the whole file is.</summary>
internal sealed class TorchStorage(string key, TensorType type, long elementCount)
{
    public string Key { get; } = key;

    public TensorType Type { get; } = type;

    public long ElementCount { get; } = elementCount;

    /// <summary>Byte offset in the file, or -1.</summary>
    public long Position { get; set; } = -1;

    /// <summary>The storage that this one is a part of, and where (PyTorch before 0.4).</summary>
    public (string RootKey, long Offset)? View { get; init; }
}

/// <summary>A strided view of a storage.</summary>
internal sealed class TorchTensor(TorchStorage storage, long offset, long[] shape, long[] strides)
{
    public TorchStorage Storage { get; } = storage;

    /// <summary>In elements, as the strides.</summary>
    public long Offset { get; } = offset;

    public long[] Shape { get; } = shape;

    public long[] Strides { get; } = strides;

    /// <summary>Elements from the first that is used to the last, both included; 0 for an empty tensor.</summary>
    public long Extent { get; } = ExtentOf(shape, strides);

    public bool LiesInStorage => Extent >= 0 && Offset >= 0 && Offset <= Storage.ElementCount - Extent;

    /// <summary>Whether elements lie one after the other, last axis fastest.</summary>
    public bool IsContiguous
    {
        get
        {
            var expected = 1L;
            for (var axis = Shape.Length - 1; axis >= 0; axis--)
            {
                if (Shape[axis] != 1 && Strides[axis] != expected) return false;
                expected *= Shape[axis];
            }
            return true;
        }
    }

    /// <summary>-1 for sizes that make no sense.</summary>
    private static long ExtentOf(long[] shape, long[] strides)
    {
        if (shape.Length != strides.Length) return -1;
        if (shape.Concat(strides).Any(number => number < 0)) return -1;
        if (shape.Contains(0)) return 0;
        Int128 last = 0, count = 1;
        for (var axis = 0; axis < shape.Length; axis++)
        {
            last += (Int128)(shape[axis] - 1) * strides[axis];
            count *= shape[axis];
            if (last >= long.MaxValue || count > long.MaxValue) return -1;
        }
        return (long)last + 1;
    }
}
