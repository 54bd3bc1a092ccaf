using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Graft.Checkpoints;

/// <summary>
/// A PyTorch state dictionary, as <c>torch.save(model.state_dict(), path)</c> writes it: the zip format (1.6 and later)
/// and the legacy one. The dictionary may lie under any key of others, <c>torch.save(model)</c> may have saved a whole model, and other
/// objects may stand beside: no code from the file is run, what is no tensor is passed over. Where several dictionaries hold tensors, a
/// tensor's name begins with the keys that lead to its own, each followed by a slash: <c>state_dict/conv1.weight</c>.
/// </summary>
public sealed class TorchCheckpoint : Checkpoint
{
    private const string SaveWeightsAlone = "In Python: torch.save(model.state_dict(), 'weights.pth').";
    private const string ScriptNames = "__torch__.";
    private const int NestingLimit = 64;
    private const int ModuleTensorLimit = 100_000;
    private const int LegacyProtocol = 1001;

    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356");
    private static readonly string[] ClassListKeys = ["classes", "CLASSES", "class_names", "classnames", "labels", "label_names", "idx_to_class", "id2label"];
    private static readonly string[] ClassNumberKeys = ["class_to_idx", "label2id"];

    private readonly RandomAccessFile _file;
    private readonly TorchTensor[] _tensors;

    private TorchCheckpoint(RandomAccessFile file, IReadOnlyList<(string Name, TorchTensor Tensor)> tensors, IReadOnlyList<string>? classes)
        : base(
            file.Path,
            [.. tensors.Select(named => new TensorEntry(named.Name, named.Tensor.Storage.Type, named.Tensor.Shape))],
            new Dictionary<string, string>())
    {
        _file = file;
        ClassNames = classes;
        _tensors = [.. tensors.Select(named => named.Tensor)];
    }

    internal static TorchCheckpoint LoadZip(string path) => Load(path, ReadZip);

    internal static TorchCheckpoint LoadLegacy(string path) => Load(path, ReadLegacy);

    private static TorchCheckpoint Load(string path, Func<RandomAccessFile, object?> read)
    {
        var file = RandomAccessFile.Open(path);
        try
        {
            var root = read(file);
            return new(file, StateDictionary(path, root), ClassesIn(root, NestingLimit, []));
        }
        catch (PickleException exception)
        {
            file.Dispose();
            throw Refused(path, exception);
        }
        catch (InvalidDataException exception)
        {
            file.Dispose();
            throw Damaged(path, exception.Message, exception);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static object? ReadZip(RandomAccessFile file)
    {
        var entries = StoredZip.Read(file);
        var pickles = entries.Keys.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal)).ToList();
        if (pickles is not [var pickle]) throw NoStateDictionary(file.Path, entries);
        var root = pickle[..^"data.pkl".Length];
        if (entries.ContainsKey(root + "byteorder") &&
            Encoding.UTF8.GetString(Content(root + "byteorder", limit: 16)).Trim() is not "little" and var order)
        {
            throw new CheckpointException(
                $"{file.Path} has the byte order '{order}', expected 'little'. " +
                "Save it again on a little-endian machine.");
        }

        var storages = new Dictionary<string, TorchStorage>();
        return PickleMachine.Load(new MemoryStream(Content(pickle, limit: 16 << 20)), id =>
        {
            if (Storage(id, storages) is not TorchStorage storage) return new PickleObject("torch.Storage");
            if (storage.Position >= 0) return storage;
            var entry = Entry($"{root}data/{storage.Key}");
            if (entry.Length != storage.ElementCount * storage.Type.SizeInBytes())
            {
                throw PickleException.Damaged(
                    $"'{entry.Name}' has {entry.Length} bytes, " +
                    $"expected {storage.ElementCount} elements of {storage.Type}");
            }
            storage.Position = entry.Position;
            return storage;
        });

        StoredZip.Entry Entry(string name)
        {
            if (!entries.TryGetValue(name, out var entry)) throw new InvalidDataException($"it lacks '{name}'");
            return entry.Method == 0 ? entry : throw new CheckpointException(
                $"{file.Path} is compressed; torch.save stores its entries as they are. Unzip it and zip it without " +
                $"compression, or save it again. {SaveWeightsAlone}");
        }

        byte[] Content(string name, int limit)
        {
            var entry = Entry(name);
            return entry.Length <= limit
                ? file.Read(entry.Position, (int)entry.Length)
                : throw new InvalidDataException($"'{name}' in it has {entry.Length} bytes, over the limit of {limit}");
        }
    }

    /// <summary>Five pickles (magic number, protocol, system, object, storage keys), then the storages.</summary>
    private static object? ReadLegacy(RandomAccessFile file)
    {
        using var stream = RegularFile.OpenRead(file.Path, bufferSize: 4096);
        if (PickleMachine.Load(stream) is not BigInteger magic || magic != LegacyMagic)
        {
            throw new CheckpointException(
                $"{file.Path} is a Python pickle, but not one that torch.save wrote. {SaveWeightsAlone}");
        }
        if (PickleMachine.Load(stream) is not (long)LegacyProtocol)
            throw PickleException.Damaged($"expected protocol {LegacyProtocol}");
        if (PickleMachine.Load(stream) is PickleDictionary system &&
            system.Items.TryGetValue("little_endian", out var littleEndian) && littleEndian is false)
        {
            throw new CheckpointException(
                $"{file.Path} was written on a big-endian machine. Save it again on a little-endian one.");
        }

        var storages = new Dictionary<string, TorchStorage>();
        var root = PickleMachine.Load(stream, id => Storage(id, storages));
        if (PickleMachine.Load(stream) is not List<object?> keys)
            throw PickleException.Damaged("its storage keys are missing");

        var roots = new Dictionary<string, (long Position, long Count)>();
        var sizes = storages.Values.GroupBy(storage => storage.View?.RootKey ?? storage.Key)
            .ToDictionary(group => group.Key, group => group.Select(storage => storage.Type).Distinct().ToList());
        var position = stream.Position;
        Span<byte> countBytes = stackalloc byte[sizeof(long)];
        foreach (var key in keys)
        {
            if (key is not string text || !sizes.TryGetValue(text, out var types) || types is not [var type])
                throw PickleException.Damaged($"no tensor uses its storage '{key}', or tensors of two types do");
            if (file.Length - position < sizeof(long)) throw PickleException.Damaged("it ends early (cut short?)");
            file.Read(position, countBytes);
            position += sizeof(long);
            var count = BinaryPrimitives.ReadInt64LittleEndian(countBytes);
            if (count < 0 || count > (file.Length - position) / type.SizeInBytes())
                throw PickleException.Damaged("it ends early (cut short?)");
            if (!roots.TryAdd(text, (position, count)))
                throw PickleException.Damaged($"it lists storage '{key}' twice");
            position += count * type.SizeInBytes();
        }
        foreach (var storage in storages.Values)
        {
            var (rootKey, offset) = storage.View ?? (storage.Key, 0);
            if (!roots.TryGetValue(rootKey, out var found))
                throw PickleException.Damaged($"storage '{rootKey}' is missing");
            if (offset < 0 || offset > found.Count - storage.ElementCount)
            {
                throw PickleException.Damaged(
                    $"storage '{rootKey}' has {found.Count} elements, expected {storage.ElementCount}");
            }
            storage.Position = found.Position + offset * storage.Type.SizeInBytes();
        }
        return root;
    }

    /// <summary>The persistent id ("storage", type, key, location, element count[, view]).</summary>
    private static object Storage(PickleTuple id, Dictionary<string, TorchStorage> known)
    {
        if (id.Items is ["storage", PickleGlobal other, ..] && TorchGlobals.StorageType(other) is null) return new PickleObject(other.Name);
        if (id.Items is not ["storage", PickleGlobal global, string key, _, long count, ..] || count < 0 ||
            TorchGlobals.StorageType(global) is not { } type)
        {
            throw PickleException.Damaged("a storage is described in an unknown way");
        }
        (string, long)? view = null;
        if (id.Items is [_, _, _, _, _, PickleTuple { Items: var part }])
        {
            if (part is not [string viewKey, long offset, long viewCount] || viewCount < 0)
                throw PickleException.Damaged("a storage is described in an unknown way");
            (view, key, count) = ((key, offset), viewKey, viewCount);
        }
        if (!known.TryGetValue(key, out var storage)) known.Add(key, storage = new(key, type, count) { View = view });
        return storage.Type == type && storage.ElementCount == count && storage.View == view
            ? storage
            : throw PickleException.Damaged($"storage '{key}' is described in two ways");
    }

    private static List<(string, TorchTensor)> StateDictionary(string path, object? root)
    {
        if (root is TorchTensor) throw new CheckpointException($"Expected a dictionary of tensors in {path}, found a single tensor. {SaveWeightsAlone}");
        var dictionaries = new List<(string Path, List<(string Name, TorchTensor Tensor)> Tensors)>();
        Collect(root, "", NestingLimit, new(ReferenceEqualityComparer.Instance), dictionaries);
        return dictionaries switch
        {
            [] => throw new CheckpointException($"Expected a dictionary of tensors in {path}, found {Describe(root)}. {SaveWeightsAlone}"),
            [var only] => only.Tensors,
            _ => [.. dictionaries.SelectMany(dictionary => dictionary.Tensors.Select(named => (dictionary.Path + named.Name, named.Tensor)))],
        };
    }

    private static string Describe(object? root) => root switch
    {
        PickleObject other => $"an object of '{other.Name}' without any",
        PickleDictionary { Items.Count: > 0 } dictionary =>
            $"one of {string.Join(", ", dictionary.Items.Keys.Take(10).Select(key => $"'{key}'"))} without any",
        PickleDictionary => "an empty one",
        _ => "something else",
    };

    /// <summary>Every dictionary that holds tensors, once, with the keys that lead to it.</summary>
    private static void Collect(
        object? value, string path, int nesting, HashSet<object> seen, List<(string Path, List<(string Name, TorchTensor Tensor)> Tensors)> found)
    {
        if (nesting == 0 || value is null || !seen.Add(value)) return;
        switch (value)
        {
            case PickleObject module when module.Items.ContainsKey("_modules"):
                var own = new List<(string, TorchTensor)>();
                CollectModule(module, "", NestingLimit, own);
                if (own.Count > 0) found.Add((path, own));
                break;
            case PickleObject script when script.Name.StartsWith(ScriptNames, StringComparison.Ordinal):
                var ofScript = new List<(string, TorchTensor)>();
                CollectScript(script, "", NestingLimit, ofScript);
                if (ofScript.Count > 0) found.Add((path, ofScript));
                break;
            case PickleDictionary dictionary:
                List<(string, TorchTensor)> tensors =
                    [.. from item in dictionary.Items where item.Value is TorchTensor select (item.Key, (TorchTensor)item.Value!)];
                if (tensors.Count > 0) found.Add((path, tensors));
                foreach (var (key, inner) in dictionary.Items) Collect(inner, $"{path}{key}/", nesting - 1, seen, found);
                break;
            case List<object?> or PickleTuple:
                var items = value as IReadOnlyList<object?> ?? ((PickleTuple)value).Items;
                for (var i = 0; i < items.Count; i++) Collect(items[i], $"{path}{i}/", nesting - 1, seen, found);
                break;
            default: break;
        }
    }

    /// <summary>The state dictionary of a saved <c>torch.nn.Module</c>, as <c>state_dict()</c> names its tensors.</summary>
    private static void CollectModule(PickleObject module, string prefix, int nesting, List<(string Name, TorchTensor Tensor)> found)
    {
        if (nesting == 0 || found.Count > ModuleTensorLimit) return;
        foreach (var kind in (string[])["_parameters", "_buffers"])
            foreach (var (name, value) in Items(kind))
                if (value is TorchTensor tensor) found.Add((prefix + name, tensor));
        foreach (var (name, value) in Items("_modules"))
            if (value is PickleObject inner) CollectModule(inner, $"{prefix}{name}.", nesting - 1, found);

        IEnumerable<KeyValuePair<string, object?>> Items(string attribute) =>
            module.Items.TryGetValue(attribute, out var value) && value is PickleDictionary dictionary ? dictionary.Items : [];
    }

    /// <summary>
    /// The same of a TorchScript program (<c>torch.jit.save</c>), whose modules have tensors and modules as attributes; its code is not read.
    /// </summary>
    private static void CollectScript(PickleObject module, string prefix, int nesting, List<(string Name, TorchTensor Tensor)> found)
    {
        if (nesting == 0 || found.Count > ModuleTensorLimit) return;
        foreach (var (name, value) in module.Items)
        {
            if (value is TorchTensor tensor) found.Add((prefix + name, tensor));
            else if (value is PickleObject inner && inner.Name.StartsWith(ScriptNames, StringComparison.Ordinal)) CollectScript(inner, $"{prefix}{name}.", nesting - 1, found);
        }
    }

    /// <summary>The names of the classes, in order, where the file lists them under one of the usual words.</summary>
    private static IReadOnlyList<string>? ClassesIn(object? value, int nesting, HashSet<object> seen)
    {
        if (nesting == 0 || value is not PickleDictionary dictionary || !seen.Add(value)) return null;
        foreach (var key in ClassListKeys)
            if (dictionary.Items.TryGetValue(key, out var listed) && Listed(listed) is { Count: > 1 } names) return names;
        foreach (var key in ClassNumberKeys)
        {
            if (dictionary.Items.TryGetValue(key, out var numbered) && numbered is PickleDictionary { Items: { Count: > 1 } numbers }
                && numbers.All(entry => entry.Value is long)
                && numbers.Select(entry => (long)entry.Value!).Order().SequenceEqual(Enumerable.Range(0, numbers.Count).Select(number => (long)number)))
            {
                return [.. numbers.OrderBy(entry => (long)entry.Value!).Select(entry => entry.Key)];
            }
        }
        return dictionary.Items.Values.Select(inner => ClassesIn(inner, nesting - 1, seen)).FirstOrDefault(names => names is not null);

        static IReadOnlyList<string>? Listed(object? value)
        {
            var items = value switch
            {
                PickleTuple tuple => tuple.Items,
                List<object?> list => list,
                PickleDictionary { Items: var numbered } when Enumerable.Range(0, numbered.Count).All(number => numbered.ContainsKey($"{number}")) =>
                    [.. Enumerable.Range(0, numbered.Count).Select(number => numbered[$"{number}"])],
                _ => [],
            };
            return items.Count > 0 && items.All(item => item is string) ? [.. items.Cast<string>()] : null;
        }
    }

    private static CheckpointException NoStateDictionary(string path, Dictionary<string, StoredZip.Entry> entries)
    {
        var found = entries.Keys.Any(name => name.EndsWith(".npy", StringComparison.Ordinal)) ? "a numpy archive"
            : "a zip archive without a data.pkl";
        return new($"Expected weights (.safetensors, Keras .h5 or PyTorch .pth), found {found} in {path}.");
    }

    private static CheckpointException Refused(string path, PickleException reason) => reason switch
    {
        { IsDamage: true } => Damaged(path, reason.Message, reason),
        _ => new(
            $"{path} asks to run {reason.Message}; Graft builds tensors only and never runs code from a file. " +
            $"If you trust where it comes from, save its weights alone. {SaveWeightsAlone}", reason),
    };

    private static CheckpointException Damaged(string path, string what, Exception inner) =>
        new($"{path} is not a sound PyTorch file: {what}. Download or save it again.", inner);

    private protected override void ReadValues(int index, Span<float> destination)
    {
        var tensor = _tensors[index];
        var storage = tensor.Storage;
        var position = storage.Position + tensor.Offset * storage.Type.SizeInBytes();
        if (tensor.IsContiguous)
        {
            _file.Read(position, storage.Type, destination);
            return;
        }
        if (tensor.Extent > Array.MaxLength)
            throw new CheckpointException($"{Tensors[index]} in {Path} spreads over too many elements to be read.");
        var stored = new float[tensor.Extent];
        _file.Read(position, storage.Type, stored);
        Gather(stored, tensor.Shape, tensor.Strides, destination);
    }

    private static void Gather(
        float[] stored, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides, Span<float> destination)
    {
        Span<long> index = stackalloc long[shape.Length];
        index.Clear();
        var source = 0L;
        foreach (ref var element in destination)
        {
            element = stored[source];
            for (var axis = shape.Length - 1; axis >= 0; axis--)
            {
                source += strides[axis];
                if (++index[axis] < shape[axis]) break;
                source -= strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
    }

    protected override void Dispose(bool disposing) => _file.Dispose();
}
