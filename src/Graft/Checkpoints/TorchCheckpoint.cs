using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Graft.Checkpoints;

/// <summary>
/// A PyTorch state dictionary, as <c>torch.save(model.state_dict(), path)</c> writes it: the zip format (1.6 and later)
/// and the legacy one. The dictionary may lie under <c>state_dict</c>, <c>model</c> or <c>model_state_dict</c>; the
/// prefix <c>module.</c> of DataParallel is dropped when every name has it. No code from the file is run.
/// </summary>
public sealed class TorchCheckpoint : Checkpoint
{
    private const string SaveWeightsAlone = "In Python: torch.save(model.state_dict(), 'weights.pth').";
    private const string DataParallelPrefix = "module.";
    private const int NestingLimit = 3;
    private const int LegacyProtocol = 1001;

    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356");
    private static readonly string[] StateDictionaryKeys = ["state_dict", "model", "model_state_dict"];

    private readonly MappedFile _file;
    private readonly TorchTensor[] _tensors;

    private TorchCheckpoint(MappedFile file, IReadOnlyList<(string Name, TorchTensor Tensor)> tensors)
        : base(
            file.Path,
            [.. tensors.Select(named => new TensorEntry(named.Name, named.Tensor.Storage.Type, named.Tensor.Shape))],
            new Dictionary<string, string>())
    {
        _file = file;
        _tensors = [.. tensors.Select(named => named.Tensor)];
    }

    internal static TorchCheckpoint LoadZip(string path) => Load(path, ReadZip);

    internal static TorchCheckpoint LoadLegacy(string path) => Load(path, ReadLegacy);

    private static TorchCheckpoint Load(string path, Func<MappedFile, object?> read)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new(file, StateDictionary(path, read(file)));
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

    private static object? ReadZip(MappedFile file)
    {
        var entries = StoredZip.Read(file);
        var pickles = entries.Keys.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal)).ToList();
        if (pickles is not [var pickle]) throw NoStateDictionary(file.Path, entries);
        var root = pickle[..^"data.pkl".Length];
        if (entries.ContainsKey(root + "constants.pkl"))
            throw new CheckpointException($"{file.Path} is a TorchScript program: code. {SaveWeightsAlone}");
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
            var storage = Storage(id, storages);
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
    private static object? ReadLegacy(MappedFile file)
    {
        using var stream = new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read);
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
    private static TorchStorage Storage(PickleTuple id, Dictionary<string, TorchStorage> known)
    {
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
        if (root is not PickleDictionary dictionary)
        {
            throw new CheckpointException(
                $"Expected a dictionary of tensors in {path}, found " +
                $"{(root is TorchTensor ? "a single tensor" : "something else")}. {SaveWeightsAlone}");
        }
        var tensors = TensorsIn(dictionary, NestingLimit);
        if (tensors is null)
        {
            throw new CheckpointException(
                $"{path} has no tensors at its top or under {string.Join(", ", StateDictionaryKeys)}; it has " +
                $"{string.Join(", ", dictionary.Items.Keys.Take(10).Select(key => $"'{key}'"))}. {SaveWeightsAlone}");
        }
        return tensors.All(named => named.Name.StartsWith(DataParallelPrefix, StringComparison.Ordinal))
            ? [.. tensors.Select(named => (named.Name[DataParallelPrefix.Length..], named.Tensor))]
            : tensors;
    }

    private static List<(string Name, TorchTensor Tensor)>? TensorsIn(PickleDictionary dictionary, int nesting)
    {
        List<(string, TorchTensor)> tensors =
            [.. from item in dictionary.Items
                where item.Value is TorchTensor
                select (item.Key, (TorchTensor)item.Value!)];
        if (tensors.Count > 0) return tensors;
        if (nesting == 0) return null;
        foreach (var key in StateDictionaryKeys)
        {
            if (dictionary.Items.TryGetValue(key, out var value) && value is PickleDictionary inner &&
                TensorsIn(inner, nesting - 1) is { } found)
            {
                return found;
            }
        }
        return null;
    }

    private static CheckpointException NoStateDictionary(string path, Dictionary<string, StoredZip.Entry> entries)
    {
        if (entries.ContainsKey("model.weights.h5"))
        {
            return new(
                $"{path} is a Keras 3 archive. In Python: " +
                $"keras.models.load_model('{System.IO.Path.GetFileName(path)}').save('model.h5'), then use model.h5.");
        }
        var found = entries.Keys.Any(name => name.EndsWith(".npy", StringComparison.Ordinal)) ? "a numpy archive"
            : "a zip archive without a data.pkl";
        return new($"Expected weights (.safetensors, Keras .h5 or PyTorch .pth), found {found} in {path}.");
    }

    private static CheckpointException Refused(string path, PickleException reason) => reason switch
    {
        { IsDamage: true } => Damaged(path, reason.Message, reason),
        { IsWholeModel: true } => new(
            $"{path} is a whole pickled model: it asks to build {reason.Message}, and Graft never runs code from a " +
            $"file. Save its weights alone. {SaveWeightsAlone}", reason),
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
