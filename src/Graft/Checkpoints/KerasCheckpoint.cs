using System.Buffers.Binary;
using System.Globalization;
using PureHDF;
using PureHDF.Selections;
using PureHDF.VOL.Native;

namespace Graft.Checkpoints;

/// <summary>A layer of a Keras file and the keys of its weights, if any, in the file's order.</summary>
public sealed record KerasLayer(string Name, IReadOnlyList<string> TensorNames);

/// <summary>
/// A Keras weights file in HDF5: the layout of the official ones (Keras 1 and 2, <c>model.save_weights('x.h5')</c>) and
/// of whole models (<c>model.save('x.h5')</c>). A tensor's key is <c>layer/weight</c>: the layer's name and the last
/// part of the weight's name without <c>:0</c>, such as <c>conv1/kernel</c>, whatever group the file keeps it in; a
/// layer whose weights would share a key (a model inside a model) has <c>layer/</c> and the weights' full names instead.
/// </summary>
public sealed class KerasCheckpoint : Checkpoint
{
    /// <summary>InceptionV3 (311 layers) takes 107,000; a damaged file is given up after a second or so.</summary>
    private const long ReadLimit = 5_000_000;
    private const int DeflateLimit = 1032;

    private readonly Lock _reading = new();
    private readonly GuardedStream _stream;
    private readonly NativeFile _file;
    private readonly List<NativeDataset> _datasets;

    private KerasCheckpoint(string path, GuardedStream stream, NativeFile file, Contents contents)
        : base(path, contents.Tensors, contents.Metadata)
    {
        (_stream, _file, _datasets, Layers) = (stream, file, contents.Datasets, contents.Layers);
    }

    /// <summary>All layers in the order of <c>layer_names</c>.</summary>
    public IReadOnlyList<KerasLayer> Layers { get; }

    internal static KerasCheckpoint Load(string path)
    {
        var stream = new GuardedStream(path);
        try
        {
            CheckLength(path, stream);
            stream.Allow(ReadLimit);
            var file = H5File.Open(stream);
            var contents = new Contents(path, stream.Length);
            contents.Read(file);
            return new(path, stream, file, contents);
        }
        catch (Exception exception)
        {
            stream.Dispose();
            if (exception is CheckpointException) throw;
            throw Damaged(path, exception);
        }
    }

    /// <summary>The superblock states the file's length: a cut file is known at once.</summary>
    private static void CheckLength(string path, GuardedStream stream)
    {
        Span<byte> superblock = stackalloc byte[56];
        superblock.Clear();
        stream.ReadExactly(superblock[..(int)Math.Min(superblock.Length, stream.Length)]);
        stream.Position = 0;
        // HDF5 File Format Specification II.A: where the end-of-file address stands, and the byte that gives its size.
        var (endAt, addressSizeAt) = superblock[8] switch { 0 => (40, 13), 1 => (44, 13), _ => (28, 9) };
        if (stream.Length < superblock.Length) throw CutShort(path, stream.Length, null);
        if (superblock[8] > 3 || superblock[addressSizeAt] != sizeof(long)) return;
        var end = BinaryPrimitives.ReadInt64LittleEndian(superblock[endAt..]);
        if (end > stream.Length) throw CutShort(path, stream.Length, end);
    }

    private static CheckpointException CutShort(string path, long found, long? expected) => new(
        $"{path} is cut short: expected {expected?.ToString(CultureInfo.InvariantCulture) ?? "more"} " +
        $"bytes, found {found}. Download it again.");

    /// <summary>PureHDF meets damage with exceptions of every type; some of their messages help a user.</summary>
    private static CheckpointException Damaged(string path, Exception exception)
    {
        var helps = exception is InvalidDataException or NotSupportedException ||
            exception.GetType() == typeof(Exception);
        var what = helps ? exception.Message.TrimEnd('.') : "its structure is damaged";
        return new($"{path} is not a sound HDF5 file: {what}. Download or save it again.", exception);
    }

    /// <summary>Whether a part of the tensor can be had for the price of that part: it lies in the file as it is.</summary>
    internal bool CanReadSlices(string name) => _datasets[IndexOf(name)].Layout.Class == H5DataLayoutClass.Contiguous;

    /// <summary>Reads whole entries of the tensor's first axis, from entry <paramref name="first"/> on.</summary>
    internal void ReadSlice(string name, int first, Span<float> destination)
    {
        var index = IndexOf(name);
        ulong[] start = new ulong[Tensors[index].Shape.Count], size = [.. Tensors[index].Shape.Select(length => (ulong)length)];
        var entrySize = Tensors[index].ElementCount / Tensors[index].Shape[0];
        (start[0], size[0]) = ((ulong)first, (ulong)(destination.Length / entrySize));
        ReadValues(index, destination, new HyperslabSelection(start.Length, start, size));
    }

    private protected override void ReadValues(int index, Span<float> destination) => ReadValues(index, destination, selection: null);

    private void ReadValues(int index, Span<float> destination, HyperslabSelection? selection)
    {
        var dataset = _datasets[index];
        var type = Tensors[index].Type;
        var bytes = type == TensorType.Float32 ? [] : new byte[destination.Length * type.SizeInBytes()];
        lock (_reading)
        {
            _stream.Allow(ReadLimit);
            try
            {
                if (type == TensorType.Float32) dataset.Read(destination, fileSelection: selection);
                else dataset.Read(bytes.AsSpan(), fileSelection: selection);
            }
            catch (Exception exception) when (exception is not ObjectDisposedException)
            {
                throw Damaged(Path, exception);
            }
        }
        if (type != TensorType.Float32) type.ToSingle(bytes, destination);
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _file.Dispose();
        _stream.Dispose();
    }

    private sealed class Contents(string path, long fileLength)
    {
        public List<KerasLayer> Layers { get; } = [];

        public List<TensorEntry> Tensors { get; } = [];

        public List<NativeDataset> Datasets { get; } = [];

        public Dictionary<string, string> Metadata { get; } = [];

        public void Read(NativeFile file)
        {
            ReadMetadata(file);
            var weights = WeightsGroup(file);
            if (weights != file) ReadMetadata(weights);
            foreach (var layer in Names(weights, "layer_names")) ReadLayer(weights, layer);
        }

        private IH5Group WeightsGroup(NativeFile file)
        {
            if (HasNames(file, "layer_names")) return file;
            if (file.LinkExists("model_weights") && file.Group("model_weights") is var group &&
                HasNames(group, "layer_names"))
            {
                return group;
            }
            throw new CheckpointException(
                file.LinkExists("layers") || file.LinkExists("_layer_checkpoint_dependencies")
                    ? $"{path} has the layout of Keras 3 (.weights.h5), which does not name the layer of a weight. " +
                      "In Python: model.load_weights(...), then model.save('model.h5'), and use model.h5."
                    : $"Expected Keras weights with the attribute 'layer_names', found another HDF5 file in {path}.");
        }

        private void ReadLayer(IH5Group weights, string layer)
        {
            if (!weights.LinkExists(layer)) throw Missing($"the group of layer '{layer}'");
            var group = weights.Group(layer);
            var names = Names(group, "weight_names");
            var keys = names.ConvertAll(name => $"{layer}/{WithoutOutput(name[(name.LastIndexOf('/') + 1)..])}");
            if (keys.Distinct().Count() != keys.Count)
                keys = names.ConvertAll(name => $"{layer}/{WithoutOutput(name)}");
            for (var i = 0; i < names.Count; i++)
            {
                if (!group.LinkExists(names[i])) throw Missing($"the weight '{names[i]}' of layer '{layer}'");
                var dataset = (NativeDataset)group.Dataset(names[i]);
                Tensors.Add(Entry(keys[i], dataset));
                Datasets.Add(dataset);
            }
            Layers.Add(new(layer, keys));
        }

        private TensorEntry Entry(string key, NativeDataset dataset)
        {
            long[] shape = [.. dataset.Space.Dimensions.Select(size => checked((long)size))];
            var type = ElementType(key, dataset.Type);
            var entry = new TensorEntry(key, type, shape);
            var compression = dataset.Layout.Class == H5DataLayoutClass.Chunked ? DeflateLimit : 1;
            if ((Int128)entry.ElementCount * type.SizeInBytes() > (Int128)fileLength * compression)
                throw Missing($"room for {entry}, which is larger than the file,");
            return entry;
        }

        private TensorType ElementType(string key, IH5DataType type) => (type.Class, type.Size) switch
        {
            (H5DataTypeClass.FloatingPoint, 4) => TensorType.Float32,
            (H5DataTypeClass.FloatingPoint, 8) => TensorType.Float64,
            (H5DataTypeClass.FloatingPoint, 2) => TensorType.Float16,
            (H5DataTypeClass.FixedPoint, 1) => type.FixedPoint.IsSigned ? TensorType.Int8 : TensorType.UInt8,
            (H5DataTypeClass.FixedPoint, 2) => type.FixedPoint.IsSigned ? TensorType.Int16 : TensorType.UInt16,
            (H5DataTypeClass.FixedPoint, 4) => type.FixedPoint.IsSigned ? TensorType.Int32 : TensorType.UInt32,
            (H5DataTypeClass.FixedPoint, 8) => type.FixedPoint.IsSigned ? TensorType.Int64 : TensorType.UInt64,
            _ => throw new CheckpointException(
                $"'{key}' in {path} has the element type {type.Class} of {type.Size} bytes. Expected numbers."),
        };

        private void ReadMetadata(IH5Object holder)
        {
            foreach (var attribute in holder.Attributes())
            {
                if (attribute.Space.Dimensions.Length == 0 &&
                    attribute.Type.Class is H5DataTypeClass.String or H5DataTypeClass.VariableLength)
                {
                    CheckSize(attribute);
                    Metadata[attribute.Name] = attribute.Read<string>();
                }
            }
        }

        private static bool HasNames(IH5Object holder, string attribute) =>
            holder.AttributeExists(attribute) || holder.AttributeExists(attribute + "0");

        /// <summary>Keras splits a list over 64 KB into <c>layer_names0</c>, <c>layer_names1</c> and so on.</summary>
        private List<string> Names(IH5Object holder, string attribute)
        {
            if (holder.AttributeExists(attribute)) return Texts(holder.Attribute(attribute));
            if (!HasNames(holder, attribute)) throw Missing($"the attribute '{attribute}' of '{holder.Name}'");
            var names = new List<string>();
            for (var part = 0; holder.AttributeExists($"{attribute}{part}"); part++)
                names.AddRange(Texts(holder.Attribute($"{attribute}{part}")));
            return names;
        }

        private List<string> Texts(IH5Attribute attribute)
        {
            if (attribute.Space.Dimensions.Contains(0UL)) return [];
            CheckSize(attribute);
            return [.. attribute.Read<string[]>()];
        }

        /// <summary>Before room is made for what a damaged file claims to hold.</summary>
        private void CheckSize(IH5Attribute attribute)
        {
            var claimed = attribute.Space.Dimensions.Aggregate((double)attribute.Type.Size, (all, size) => all * size);
            if (claimed > fileLength)
                throw Missing($"room for the attribute '{attribute.Name}', larger than the file,");
        }

        private static string WithoutOutput(string name) =>
            name.EndsWith(":0", StringComparison.Ordinal) ? name[..^2] : name;

        private CheckpointException Missing(string what) =>
            new($"{path} is not a sound Keras file: {what} is missing. Download or save it again.");
    }
}
