using System.Buffers;
using Graft.Networks;

namespace Graft.Checkpoints;

/// <summary>The tensors of a file, matched to the parameters of a network.</summary>
public sealed class CheckpointWeights : IWeights
{
    private const int SliceElements = 1 << 20;

    private readonly Checkpoint _checkpoint;
    private readonly IReadOnlyDictionary<string, string> _tensorOf;

    private CheckpointWeights(Checkpoint checkpoint, IReadOnlyDictionary<string, string> tensorOf) =>
        (_checkpoint, _tensorOf) = (checkpoint, tensorOf);

    /// <summary>
    /// Matches a file to a network: by key for PyTorch's layout; for Keras's by layer name or, where the names differ, by order, as
    /// Keras itself does.
    /// </summary>
    /// <param name="checkpoint">The file; stays open as long as a model <see cref="Share">shares</see> the weights.</param>
    /// <param name="network">What must be filled: every parameter must be in the file.</param>
    /// <param name="whole">The network that <paramref name="network"/> was cut from: what the file holds for the rest of it is
    /// passed over.</param>
    /// <param name="auxiliary">A second head that the file may hold, passed over too. Anything else in the file is an error.</param>
    /// <param name="otherNames">What files of other origins call the layers, or single tensors by their keys, one map for each origin. Such a file may
    /// have its tensors in other shapes, as long as the output axis and the order of the numbers are the same: [4096, 25088] and [4096, 512, 7, 7].</param>
    /// <exception cref="CheckpointMismatchException">Tensors are missing, unexpected or of another shape; lists them all.</exception>
    public static CheckpointWeights Match(
        Checkpoint checkpoint, Network network, Network? whole = null, Network? auxiliary = null,
        IReadOnlyList<IReadOnlyDictionary<string, string>>? otherNames = null) =>
        Match(checkpoint, network, whole, auxiliary, otherNames, out var problems)
        ?? throw new CheckpointMismatchException(checkpoint.Path, network.Name, problems);

    /// <summary>The same, or null where the file does not fit.</summary>
    public static CheckpointWeights? TryMatch(
        Checkpoint checkpoint, Network network, Network? auxiliary = null, IReadOnlyList<IReadOnlyDictionary<string, string>>? otherNames = null) =>
        Match(checkpoint, network, null, auxiliary, otherNames, out _);

    private static CheckpointWeights? Match(
        Checkpoint checkpoint, Network network, Network? whole, Network? auxiliary, IReadOnlyList<IReadOnlyDictionary<string, string>>? otherNames,
        out IReadOnlyList<string> problems)
    {
        IReadOnlyList<Parameter> known = [.. (whole ?? network).Parameters, .. auxiliary?.Parameters ?? []];
        problems = [];
        if (checkpoint is KerasCheckpoint keras)
        {
            foreach (var tensorOf in MatchesOfKeras(keras, known))
            {
                var found = Problems(checkpoint, network, tensorOf, names: null);
                if (found.Count == 0) return new(checkpoint, tensorOf);
                if (problems.Count == 0) problems = found;
            }
            return null;
        }
        foreach (var names in (IReadOnlyDictionary<string, string>?[])[null, .. otherNames ?? []])
        {
            var tensorOf = MatchByKey(checkpoint, known, names);
            var found = Problems(checkpoint, network, tensorOf, names);
            if (found.Count == 0) return new(checkpoint, tensorOf);
            // What is nearer to fitting is what the file was meant to be.
            if (problems.Count == 0 || found.Count < problems.Count) problems = found;
        }
        return null;
    }

    private static List<string> Problems(
        Checkpoint checkpoint, Network network, Dictionary<string, string> tensorOf, IReadOnlyDictionary<string, string>? names)
    {
        var problems = new List<string>();
        var isKeras = checkpoint is KerasCheckpoint;
        foreach (var parameter in network.Parameters)
        {
            var shape = isKeras ? KerasLayout.Shape(parameter) : parameter.Shape;
            var name = isKeras ? $"{parameter.Layer}/{KerasLayout.Name(parameter.Role)}" : KeyOf(parameter, names);
            if (!tensorOf.TryGetValue(parameter.Key, out var tensor))
                problems.Add($"missing: '{name}' [{string.Join(", ", shape)}]");
            else if (checkpoint.Find(tensor) is not { } found)
                problems.Add($"missing: '{tensor}'");
            else if (!(names is null ? found.Shape.SequenceEqual(shape.Select(size => (long)size)) : HasSameNumbers(found, parameter)))
                problems.Add($"expected '{tensor}' [{string.Join(", ", shape)}], found [{string.Join(", ", found.Shape)}]");
            else if (found.Type is not (TensorType.Float32 or TensorType.Float16 or TensorType.BFloat16 or TensorType.Float64))
                problems.Add($"expected '{tensor}' in floating point, found {found.Type}");
        }
        var used = tensorOf.Values.ToHashSet(StringComparer.Ordinal);
        problems.AddRange(checkpoint.Tensors
            .Where(tensor => !used.Contains(tensor.Name) && !IsCounter(tensor.Name))
            .Select(tensor => $"unexpected: '{tensor.Name}' [{string.Join(", ", tensor.Shape)}]"));
        return problems;
    }

    public IDisposable Share() => _checkpoint.Share();

    public void Read(Parameter parameter, Span<float> destination)
    {
        var tensor = _tensorOf[parameter.Key];
        if (_checkpoint is not KerasCheckpoint keras)
        {
            _checkpoint.Read(tensor, destination);
            return;
        }
        // A slice at a time: the whole of VGG's largest kernel a second time would be 411 MB more.
        var entrySize = destination.Length / KerasLayout.Shape(parameter)[0];
        var sliceSize = Math.Max(1, SliceElements / entrySize) * entrySize;
        if (sliceSize >= destination.Length || !keras.CanReadSlices(tensor)) sliceSize = destination.Length;
        var values = sliceSize > SliceElements ? new float[sliceSize] : ArrayPool<float>.Shared.Rent(sliceSize);
        for (var first = 0; first < destination.Length; first += sliceSize)
        {
            var slice = values.AsSpan(0, Math.Min(sliceSize, destination.Length - first));
            if (slice.Length == destination.Length) keras.Read(tensor, slice);
            else keras.ReadSlice(tensor, first / entrySize, slice);
            KerasLayout.ToParameter(parameter, slice, first, destination);
        }
        // Larger arrays would stay with the pool.
        if (sliceSize <= SliceElements) ArrayPool<float>.Shared.Return(values);
    }

    private static Dictionary<string, string> MatchByKey(
        Checkpoint checkpoint, IReadOnlyList<Parameter> parameters, IReadOnlyDictionary<string, string>? names) =>
        parameters.Where(parameter => checkpoint.Contains(KeyOf(parameter, names)))
            .ToDictionary(parameter => parameter.Key, parameter => KeyOf(parameter, names), StringComparer.Ordinal);

    private static string KeyOf(Parameter parameter, IReadOnlyDictionary<string, string>? names) =>
        names is null ? parameter.Key
        : names.TryGetValue(parameter.Key, out var key) ? key
        : names.TryGetValue(parameter.Layer, out var layer) ? (parameter with { Layer = layer }).Key
        : parameter.Key;

    private static bool HasSameNumbers(TensorEntry found, Parameter parameter) =>
        found.ElementCount == parameter.ElementCount && found.Shape.Count > 0 && found.Shape[0] == parameter.Shape[0];

    /// <summary>
    /// By name, if every layer of the file has a name of the network, and by order. Names alone may mislead: an older Keras counted
    /// its unnamed layers from conv2d_1.
    /// </summary>
    private static IEnumerable<Dictionary<string, string>> MatchesOfKeras(KerasCheckpoint file, IReadOnlyList<Parameter> parameters)
    {
        var fileLayers = file.Layers.Where(layer => layer.TensorNames.Count > 0).ToList();
        var layers = parameters.GroupBy(parameter => parameter.Layer)
            .Select(group => (Name: group.Key, Parameters: group.ToList())).ToList();
        var byName = layers.ToDictionary(layer => layer.Name, StringComparer.Ordinal);
        if (fileLayers.All(layer => byName.ContainsKey(layer.Name)))
            yield return Match(fileLayers.Select(layer => (layer, byName[layer.Name].Parameters)));
        yield return Match(fileLayers.Zip(layers, (fileLayer, layer) => (fileLayer, layer.Parameters)));

        static Dictionary<string, string> Match(IEnumerable<(KerasLayer Layer, List<Parameter> Parameters)> pairs)
        {
            var tensorOf = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (layer, parameters) in pairs)
                foreach (var (tensor, parameter) in layer.TensorNames.Zip(parameters))
                    tensorOf.Add(parameter.Key, tensor);
            return tensorOf;
        }
    }

    /// <summary>PyTorch's batch norm counts its batches; nothing in inference or training here uses the count.</summary>
    private static bool IsCounter(string tensor) => tensor.EndsWith(".num_batches_tracked", StringComparison.Ordinal);
}

/// <summary>A file that does not fit a network; <see cref="Problems"/> has every tensor that differs.</summary>
public sealed class CheckpointMismatchException(string path, string network, IReadOnlyList<string> problems) : GraftException(
    $"{path} does not fit the network '{network}': {problems.Count} tensor{(problems.Count == 1 ? "" : "s")} "
    + $"{(problems.Count == 1 ? "differs" : "differ")} ({Examples(problems)}). Name the backbone that the file was saved from.")
{
    /// <summary>One line for each tensor that is missing, unexpected, or of another shape or type.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;

    private static string Examples(IReadOnlyList<string> problems)
    {
        // One of each sort says more than three of the first.
        var examples = problems.GroupBy(problem => problem.Split(' ')[0]).Select(sort => sort.First()).ToList();
        return string.Join("; ", examples) + (problems.Count > examples.Count ? "; …" : "");
    }
}
