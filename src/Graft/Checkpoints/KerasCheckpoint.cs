using System.Buffers.Binary;
using System.Globalization;
using PureHDF;
using PureHDF.Selections;
using PureHDF.VOL.Native;

namespace Graft.Checkpoints;

/// <summary>
/// A Keras weights file in HDF5: the layout of the official ones (Keras 1 and 2, <c>model.save_weights('x.h5')</c>), of whole models
/// (<c>model.save('x.h5')</c>), and Keras 3's <c>.weights.h5</c>, alone or inside a <c>.keras</c> archive. A tensor's key is <c>layer/weight</c>: the layer's name and the last
/// part of the weight's name without <c>:0</c>, such as <c>conv1/kernel</c>, whatever group the file keeps it in; a
/// layer with the weights of several (a model inside a model) has <c>layer/</c> and the weights' full names instead. In Keras 3's files, which number the weights of a layer, it is
/// <c>layers/conv2d/vars/0</c>, the path in the file.
/// </summary>
public sealed class KerasCheckpoint : Checkpoint
{
    /// <summary>InceptionV3 (311 layers) takes 107,000; a damaged file is given up after a second or so.</summary>
    private const long ReadLimit = 5_000_000;
    private const int DeflateLimit = 1032;

    /// <summary>Of one chunk of a tensor that is smaller: h5py chooses 1 MB at most for a tensor that can grow.</summary>
    private const long ChunkLimitBytes = 16 << 20;

    /// <summary>Of all tensors together: the largest published network has 0.6 GB.</summary>
    private const int TensorLimit = 100_000, NestingLimit = 8, ConfigurationLimitBytes = 64 << 20;

    internal const string ArchivedWeights = "model.weights.h5";

    private readonly Lock _reading = new();
    private readonly GuardedStream _stream;
    private readonly NativeFile _file;
    private readonly List<NativeDataset> _datasets;

    private KerasCheckpoint(string path, GuardedStream stream, NativeFile file, Contents contents)
        : base(path, contents.Tensors, contents.Metadata)
    {
        (_stream, _file, _datasets, Layers) = (stream, file, contents.Datasets, contents.Layers);
        Models = [.. contents.Layers.Concat(contents.Nested).GroupBy(layer => layer.Model).Select(model => model.ToList())];
        var nested = contents.Nested.ToLookup(layer => layer.Model);
        AllLayers = [.. contents.Layers.SelectMany(layer => nested.Contains(layer.Name) ? nested[layer.Name] : [layer])];
    }

    /// <summary>All layers in the order of <c>layer_names</c>.</summary>
    public IReadOnlyList<KerasLayer> Layers { get; }

    /// <summary>The layers of the file's own model and of each model that is used as a layer of it.</summary>
    internal IReadOnlyList<IReadOnlyList<KerasLayer>> Models { get; }

    /// <summary>The same with the layers of each model in the place of that model.</summary>
    internal IReadOnlyList<KerasLayer> AllLayers { get; }

    internal static KerasCheckpoint Load(string path) => Load(path, new GuardedStream(path), namesOf: null);

    /// <summary>A <c>.keras</c> archive: the weights lie in it as they are, and its configuration names the layers.</summary>
    internal static KerasCheckpoint LoadArchive(string path)
    {
        using var file = RandomAccessFile.Open(path);
        try
        {
            var entries = StoredZip.Read(file);
            var weights = Stored(entries[ArchivedWeights]);
            var names = entries.TryGetValue("config.json", out var config) && Stored(config).Length <= ConfigurationLimitBytes
                ? KerasConfiguration.LayerNames(file.Read(config.Position, (int)config.Length))
                : null;
            return Load(path, new GuardedStream(path, weights.Position, weights.Length), names);
        }
        catch (InvalidDataException damage)
        {
            throw Damaged(path, damage);
        }

        StoredZip.Entry Stored(StoredZip.Entry entry) => entry.Method == 0 ? entry : throw new CheckpointException(
            $"{path} is compressed, and Keras stores its entries as they are. Unzip it and use {ArchivedWeights} in it.");
    }

    private static KerasCheckpoint Load(string path, GuardedStream stream, IReadOnlyDictionary<string, string>? namesOf)
    {
        NativeFile? file = null;
        try
        {
            CheckLength(path, stream);
            stream.Allow(ReadLimit);
            file = H5File.Open(stream);
            Hdf5Isolation.Seal(file);
            var contents = new Contents(path, stream.Length, namesOf);
            contents.Read(file);
            return new(path, stream, file, contents);
        }
        catch (Exception exception)
        {
            if (file is not null) Hdf5Isolation.Release(file);
            file?.Dispose();
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
        Hdf5Isolation.Release(_file);
        _file.Dispose();
        _stream.Dispose();
    }

    private sealed class Contents(string path, long fileLength, IReadOnlyDictionary<string, string>? namesOf)
    {
        public List<KerasLayer> Layers { get; } = [];

        public List<KerasLayer> Nested { get; } = [];

        public List<TensorEntry> Tensors { get; } = [];

        public List<NativeDataset> Datasets { get; } = [];

        public Dictionary<string, string> Metadata { get; } = [];

        public void Read(NativeFile file)
        {
            ReadMetadata(file);
            if (WeightsGroup(file) is { } weights)
            {
                if (weights != file) ReadMetadata(weights);
                foreach (var layer in Names(weights, "layer_names")) ReadLayer(weights, layer);
            }
            else
            {
                // Keras 3, and TensorFlow's Keras in the year before it.
                foreach (var root in (string[])["layers", "_layer_checkpoint_dependencies"])
                    if (file.LinkExists(root)) ReadModel(Group(file, root, root), root, model: "", NestingLimit);
            }
            if (Tensors.Count == 0)
                throw new CheckpointException($"Expected Keras weights, with the attribute 'layer_names' or the group 'layers', found another HDF5 file in {path}.");
        }

        private IH5Group? WeightsGroup(NativeFile file) =>
            HasNames(file, "layer_names") ? file
            : file.LinkExists("model_weights") && Group(file, "model_weights", "model_weights") is var group && HasNames(group, "layer_names") ? group
            : null;

        /// <summary>The layers of a Keras 3 model, each kind in its own order: <c>conv2d</c>, <c>conv2d_1</c>, …, <c>conv2d_10</c>.</summary>
        private void ReadModel(IH5Group layers, string path, string model, int nesting)
        {
            if (nesting == 0) throw Missing("an end of its models inside models");
            foreach (var (name, kind, _) in layers.Children().OfType<IH5Group>().Select(child => Numbered(child.Name)).OrderBy(child => child.Kind, StringComparer.Ordinal).ThenBy(child => child.Number))
            {
                var layer = Group(layers, name, $"{path}/{name}");
                var tensors = new List<string>();
                if (layer.LinkExists("vars"))
                {
                    var variables = Group(layer, "vars", $"{path}/{name}/vars");
                    for (var index = 0; variables.LinkExists($"{index}"); index++)
                    {
                        var key = $"{path}/{name}/vars/{index}";
                        Add(key, Dataset(variables, $"{index}", key));
                        tensors.Add(key);
                    }
                }
                if (tensors.Count > 0) Layers.Add(new(NameOf(layer, $"{path}/{name}"), tensors) { Model = model, Kind = kind });
                if (layer.LinkExists("layers")) ReadModel(Group(layer, "layers", $"{path}/{name}/layers"), $"{path}/{name}/layers", $"{path}/{name}", nesting - 1);
            }
        }

        private string NameOf(IH5Group layer, string path) =>
            namesOf?.GetValueOrDefault(path)
            ?? (layer.AttributeExists("name") && IsText(layer.Attribute("name")) ? Text(layer.Attribute("name")) : path[(path.LastIndexOf('/') + 1)..]);

        private static (string Name, string Kind, int Number) Numbered(string name)
        {
            var end = name.LastIndexOf('_');
            return end > 0 && int.TryParse(name.AsSpan(end + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? (name, name[..end], number)
                : (name, name, 0);
        }

        private void Add(string key, NativeDataset dataset)
        {
            if (Tensors.Count == TensorLimit) throw Missing($"a reason for more than {TensorLimit} tensors");
            Tensors.Add(Entry(key, dataset));
            Datasets.Add(dataset);
        }

        private IH5Group Group(IH5Group holder, string name, string where) => holder.Get(name) as IH5Group ?? throw NotHere(where);

        private NativeDataset Dataset(IH5Group holder, string name, string where) => holder.Get(name) switch
        {
            NativeDataset dataset when Hdf5Isolation.LiesElsewhere(dataset) => throw new CheckpointException(
                $"The values of '{where}' lie outside {path} (external storage or a virtual dataset); Graft reads the weights file alone. "
                + "In Python: copy the values into one file with model.save_weights(...)."),
            NativeDataset dataset => dataset,
            _ => throw NotHere(where),
        };

        private CheckpointException NotHere(string where) => new(
            $"'{where}' in {path} is no part of a Keras file: it is of another kind, or a link into another file, or to nothing. Graft reads the weights file alone. "
            + "Download or save it again.");

        private void ReadLayer(IH5Group weights, string layer)
        {
            if (!weights.LinkExists(layer)) throw Absent($"the group of layer '{layer}'");
            var group = Group(weights, layer, layer);
            var names = Names(group, "weight_names");
            var keys = names.ConvertAll(name => $"{layer}/{WithoutOutput(name[(name.LastIndexOf('/') + 1)..])}");
            // Weights of one name, or of several layers: a model.
            if (keys.Distinct().Count() != keys.Count || names.Select(name => name[..Math.Max(0, name.LastIndexOf('/'))]).Distinct().Count() > 1)
                keys = names.ConvertAll(name => $"{layer}/{WithoutOutput(name)}");
            for (var i = 0; i < names.Count; i++)
            {
                if (!group.LinkExists(names[i])) throw Absent($"the weight '{names[i]}' of layer '{layer}'");
                Add(keys[i], Dataset(group, names[i], $"{layer}/{names[i]}"));
            }
            Layers.Add(new(layer, keys));
            // The weights of a model that is a layer: model/layer/weight, in the order of its layers.
            Nested.AddRange(keys.Where(key => key.Count(letter => letter == '/') > 1).GroupBy(key => key[..key.LastIndexOf('/')])
                .Select(inner => new KerasLayer(inner.Key[(inner.Key.LastIndexOf('/') + 1)..], [.. inner]) { Model = layer }));
        }

        private TensorEntry Entry(string key, NativeDataset dataset)
        {
            long[] shape = [.. dataset.Space.Dimensions.Select(size => checked((long)size))];
            var type = ElementType(key, dataset.Type);
            var entry = new TensorEntry(key, type, shape);
            var isChunked = dataset.Layout.Class == H5DataLayoutClass.Chunked;
            var bytes = (Int128)entry.ElementCount * type.SizeInBytes();
            if (bytes > (Int128)fileLength * (isChunked ? DeflateLimit : 1))
                throw Missing($"room for {entry}, which is larger than the file,");
            // A chunk is read whole, whatever part of it belongs to the tensor.
            if (isChunked && dataset.Layout.Chunks.Take(shape.Length).Aggregate((double)type.SizeInBytes(), (all, size) => all * size) > (double)Int128.Max(bytes, ChunkLimitBytes))
                throw Missing($"a reason for the chunks of {entry}, which are larger than it,");
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
                if (IsText(attribute)) Metadata[attribute.Name] = Text(attribute);
            }
        }

        private static bool IsText(IH5Attribute attribute) =>
            attribute.Space.Dimensions.Length == 0 && attribute.Type.Class is H5DataTypeClass.String or H5DataTypeClass.VariableLength;

        private string Text(IH5Attribute attribute)
        {
            CheckSize(attribute);
            return attribute.Read<string>();
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

        private CheckpointException Absent(string what) => new(
            $"{path} is not a sound Keras file: {what} is missing, or a link into another file; Graft reads the weights file alone. Download or save it again.");

        private CheckpointException Missing(string what) =>
            new($"{path} is not a sound Keras file: {what} is missing. Download or save it again.");
    }
}
