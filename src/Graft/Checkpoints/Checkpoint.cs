using System.Numerics;
using System.Runtime.InteropServices;

namespace Graft.Checkpoints;

/// <summary>
/// A weights file: the list of its tensors, read at once, and their values, read on demand. Values come in the file's
/// own layout (Keras: HWIO kernels; PyTorch: OIHW). Reading never loads libtorch and never runs code from a file.
/// <see cref="Read(string, Span{float})"/> may be called from several threads.
/// </summary>
public abstract class Checkpoint : IDisposable
{
    private readonly Dictionary<string, int> _indices;
    private readonly SharedResource _file;
    private readonly IDisposable _opened;

    private protected Checkpoint(
        string path, IReadOnlyList<TensorEntry> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        (Path, Tensors, Metadata) = (path, tensors, metadata);
        _file = new(() => Dispose(disposing: true));
        _opened = _file.Share();
        _indices = new(tensors.Count);
        for (var i = 0; i < tensors.Count; i++)
        {
            if (!_indices.TryAdd(tensors[i].Name, i))
                throw new CheckpointException($"{path} names the tensor '{tensors[i].Name}' twice. It is damaged.");
        }
    }

    public string Path { get; }

    /// <summary>The tensors in the file's own order.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>
    /// What the file says of itself: <c>__metadata__</c> of safetensors, the text attributes of a Keras file
    /// (<c>keras_version</c>, <c>backend</c>); empty for PyTorch.
    /// </summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The names of the classes that the file says its outputs have, in order; null where it names none.</summary>
    public IReadOnlyList<string>? ClassNames { get; private protected init; }

    /// <summary>Opens a weights file by its content, whatever its extension.</summary>
    /// <exception cref="CheckpointException">The file is absent, damaged, or of no known format.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            return CheckpointFormats.Of(path) switch
            {
                CheckpointFormat.Safetensors => SafetensorsCheckpoint.Load(path),
                CheckpointFormat.Hdf5 => KerasCheckpoint.Load(path),
                CheckpointFormat.Zip when StoredZip.Holds(path, KerasCheckpoint.ArchivedWeights) => KerasCheckpoint.LoadArchive(path),
                CheckpointFormat.Zip => TorchCheckpoint.LoadZip(path),
                CheckpointFormat.Onnx => OnnxCheckpoint.Load(path),
                _ => TorchCheckpoint.LoadLegacy(path),
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, exception);
        }
    }

    public bool Contains(string name) => _indices.ContainsKey(name);

    /// <summary>The entry of a tensor, or null where the file has none of that name.</summary>
    public TensorEntry? Find(string name) => _indices.TryGetValue(name, out var index) ? Tensors[index] : null;

    /// <summary>Reads a tensor, last axis fastest, converted to float32.</summary>
    /// <exception cref="KeyNotFoundException">The file has no tensor of that name.</exception>
    /// <exception cref="ArgumentException">The destination's length is not the tensor's element count.</exception>
    /// <exception cref="CheckpointException">The values cannot be read.</exception>
    public void Read(string name, Span<float> destination)
    {
        if (!_indices.TryGetValue(name, out var index))
            throw new KeyNotFoundException($"{Path} has no tensor '{name}'.");
        if (destination.Length != Tensors[index].ElementCount)
        {
            throw new ArgumentException(
                $"Expected room for the {Tensors[index].ElementCount} elements of {Tensors[index]}, " +
                $"found {destination.Length}.",
                nameof(destination));
        }
        try
        {
            if (destination.Length > 0) ReadValues(index, destination);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(Path, exception);
        }
    }

    /// <exception cref="CheckpointException">A value is not a finite number.</exception>
    internal void CheckFinite(string tensor, ReadOnlySpan<float> values)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        var sum = Vector<float>.Zero;
        // The difference is 0, but NaN for NaN and the infinities.
        foreach (var vector in vectors) sum += vector - vector;
        var areFinite = Vector.EqualsAll(sum, Vector<float>.Zero);
        foreach (var value in values[(vectors.Length * Vector<float>.Count)..]) areFinite &= float.IsFinite(value);
        if (areFinite) return;
        foreach (var value in values)
            if (!float.IsFinite(value))
                throw new CheckpointException(
                    $"{tensor} in {Path} holds {(float.IsNaN(value) ? "NaN" : "infinity")}: the training that wrote these weights diverged. Use an earlier checkpoint.");
    }

    /// <summary>Closes the file, or leaves that to the last model that reads its weights from it.</summary>
    public void Dispose()
    {
        _opened.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Keeps the file open, even after <see cref="Dispose()"/>, until the result is disposed of.</summary>
    internal IDisposable Share() => _file.Share();

    private protected int IndexOf(string name) => _indices.TryGetValue(name, out var index)
        ? index
        : throw new KeyNotFoundException($"{Path} has no tensor '{name}'.");

    private protected abstract void ReadValues(int index, Span<float> destination);

    protected abstract void Dispose(bool disposing);

    private protected static CheckpointException Unreadable(string path, Exception exception) => exception switch
    {
        FileNotFoundException or DirectoryNotFoundException =>
            new($"There is no file {path}. Check the path.", exception),
        UnauthorizedAccessException when Directory.Exists(path) =>
            new($"Expected a weights file, found the folder {path}. Name a file in it.", exception),
        UnauthorizedAccessException => new($"{path} may not be read. Check its permissions.", exception),
        _ => new($"{path} cannot be read: {exception.Message}", exception),
    };
}
