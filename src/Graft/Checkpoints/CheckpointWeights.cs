using System.Buffers;
using System.Runtime.InteropServices;
using Graft.Networks;

namespace Graft.Checkpoints;

/// <summary>The tensors of a file, matched to the parameters of a network.</summary>
public sealed class CheckpointWeights : IWeights
{
    private const int SliceElements = 1 << 20;

    private readonly Checkpoint _checkpoint;
    private readonly IReadOnlyDictionary<string, TensorPart> _partOf;

    private CheckpointWeights(Checkpoint checkpoint, IReadOnlyDictionary<string, TensorPart> partOf) => (_checkpoint, _partOf) = (checkpoint, partOf);

    /// <summary>
    /// Matches a file to a network: by key for PyTorch's layout, whatever prefix the keys have in common (<c>module.</c>,
    /// <c>state_dict/model.backbone.</c>); for Keras's by layer name or, where the names differ, by order, as Keras itself does, in the
    /// file's own model or one that is a layer of it. Tensors beside the network's (of an optimizer, a loss, another network) are passed
    /// over. A first convolution for gray images takes the mean of the three channels.
    /// </summary>
    /// <param name="checkpoint">The file; stays open as long as a model <see cref="Share">shares</see> the weights.</param>
    /// <param name="network">What must be filled: every parameter must be in the file.</param>
    /// <param name="whole">The network that <paramref name="network"/> was cut from: what the file holds for the rest of it is
    /// passed over, whatever its shape.</param>
    /// <param name="auxiliary">A second head that the file may hold, passed over too. Anything else among the network's tensors is an error.</param>
    /// <param name="otherKeys">How files of other origins name the tensors.</param>
    /// <param name="part">Of several sets of weights that fit, the one whose prefix has this in it; null for the only one, or of two the
    /// moving average (<c>ema</c>) of the other, as timm takes it.</param>
    /// <exception cref="CheckpointMismatchException">Tensors are missing, unexpected or of another shape; lists them all.</exception>
    /// <exception cref="GraftException">Several sets of weights fit, and none was chosen, or the chosen one does not exist.</exception>
    public static CheckpointWeights Match(
        Checkpoint checkpoint, Network network, Network? whole = null, Network? auxiliary = null,
        IReadOnlyList<KeyMap>? otherKeys = null, string? part = null)
    {
        var candidates = Candidates(checkpoint, network, whole ?? network, auxiliary, otherKeys ?? []);
        var nearest = candidates.MinBy(candidate => candidate.Problems.Count)!;
        return Choose(checkpoint, candidates, part)
               ?? throw new CheckpointMismatchException(checkpoint.Path, network, nearest.Prefix, nearest.Problems, nearest.Differing);
    }

    /// <summary>The same, or null where the file does not fit.</summary>
    public static CheckpointWeights? TryMatch(
        Checkpoint checkpoint, Network network, Network? auxiliary = null, IReadOnlyList<KeyMap>? otherKeys = null, string? part = null) =>
        Choose(checkpoint, Candidates(checkpoint, network, network, auxiliary, otherKeys ?? []), part);

    /// <summary>The share of the network's parameters that the file has, in the right shape.</summary>
    internal static double ShareFound(Checkpoint checkpoint, Network network, Network? whole, IReadOnlyList<KeyMap>? otherKeys)
    {
        var differing = Candidates(checkpoint, network, whole ?? network, auxiliary: null, otherKeys ?? []).Min(candidate => candidate.Differing.Count);
        return 1 - (double)differing / Math.Max(1, network.Parameters.Count);
    }

    /// <summary>The number of outputs that the file has for a layer of the whole network; null where it lacks the layer's weights.</summary>
    internal int? OutputsOf(Parameter kernel) => _partOf.TryGetValue(kernel.Key, out var part)
        ? (int)part.Tensors.Sum(tensor => _checkpoint.Find(tensor)!.Shape is var shape && _checkpoint is KerasCheckpoint || part.IsTransposed ? shape[^1] : shape[0]) / part.Parts
        : null;

    public IDisposable Share() => _checkpoint.Share();

    public void Read(Parameter parameter, Span<float> destination)
    {
        var part = _partOf[parameter.Key];
        if (_checkpoint is KerasCheckpoint keras) ReadKeras(keras, part.Tensors[0], parameter, destination);
        else if (IsGray(parameter, _checkpoint.Find(part.Tensors[0])!.Shape, isKeras: false)) ReadGray(parameter, destination, gray => _checkpoint.Read(part.Tensors[0], gray));
        else ReadParts(part, parameter, destination);
        if (parameter.Role != ParameterRole.OnnxModel) _checkpoint.CheckFinite($"{part}", destination);
    }

    private void ReadParts(TensorPart part, Parameter parameter, Span<float> destination)
    {
        if (part.IsWholeTensor)
        {
            _checkpoint.Read(part.Tensors[0], destination);
            return;
        }
        var values = new float[destination.Length * part.Parts];
        var position = 0;
        foreach (var tensor in part.Tensors)
        {
            var count = (int)_checkpoint.Find(tensor)!.ElementCount;
            _checkpoint.Read(tensor, values.AsSpan(position, count));
            position += count;
        }
        if (part.IsTransposed) KerasLayout.ToParameter(parameter, values, destination);
        else values.AsSpan(part.Part * destination.Length, destination.Length).CopyTo(destination);
    }

    private static void ReadKeras(KerasCheckpoint keras, string tensor, Parameter parameter, Span<float> destination)
    {
        if (IsGray(parameter, keras.Find(tensor)!.Shape, isKeras: true))
        {
            ReadGray(parameter, destination, gray => ReadKeras(keras, tensor, OneChannel(parameter), gray));
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

    /// <summary>[output, 1, height, width] → [output, 3, height, width], a third of it for each channel.</summary>
    private static void ReadGray(Parameter parameter, Span<float> destination, ReadOneChannel read)
    {
        var (channels, area) = (parameter.Shape[1], parameter.Shape[2] * parameter.Shape[3]);
        var gray = new float[destination.Length / channels];
        read(gray);
        for (var i = 0; i < destination.Length; i++) destination[i] = gray[i / (channels * area) * area + i % area] / channels;
    }

    private delegate void ReadOneChannel(Span<float> gray);

    private static Parameter OneChannel(Parameter parameter) =>
        parameter with { Shape = [parameter.Shape[0], 1, .. parameter.Shape.Skip(2)] };

    /// <summary>Whether the file has a first convolution of one channel for the network's of three.</summary>
    private static bool IsGray(Parameter parameter, IReadOnlyList<long> found, bool isKeras) =>
        parameter is { Role: ParameterRole.Kernel, Shape: [_, 3, _, _] } && HasShape(found, ShapeIn(OneChannel(parameter), isKeras));

    private static IReadOnlyList<int> ShapeIn(Parameter parameter, bool isKeras) => isKeras ? KerasLayout.Shape(parameter) : parameter.Shape;

    private static bool HasShape(IReadOnlyList<long> found, IReadOnlyList<int> expected) => found.SequenceEqual(expected.Select(size => (long)size));

    /// <summary>A way to see the file's tensors as the network's.</summary>
    /// <param name="Prefix">What stands before the network's own names in the file.</param>
    /// <param name="PartOf">By parameter: where it is.</param>
    /// <param name="Problems">What differs, for people.</param>
    /// <param name="Differing">The parameters that are not there, or of another shape.</param>
    private sealed record Candidate(
        string Prefix, Dictionary<string, TensorPart> PartOf, IReadOnlyList<string> Problems, IReadOnlyList<Parameter> Differing);

    private static CheckpointWeights? Choose(Checkpoint checkpoint, IReadOnlyList<Candidate> candidates, string? part)
    {
        var fitting = candidates.Where(candidate => candidate.Problems.Count == 0).DistinctBy(candidate => candidate.Prefix).ToList();
        if (part is not null)
        {
            var meant = fitting.Where(candidate => candidate.Prefix.TrimEnd('.', '/') == part.TrimEnd('.', '/')).ToList();
            if (meant.Count == 0) meant = fitting.FindAll(candidate => candidate.Prefix.Contains(part, StringComparison.Ordinal));
            if (fitting.Count > 0 && meant.Count != 1)
            {
                throw new GraftException(
                    $"Expected one set of weights '{part}' in {checkpoint.Path}, found {(meant.Count == 0 ? "none" : $"{meant.Count}")} that fits. There "
                    + $"{(fitting.Count == 1 ? "is" : "are")} {string.Join(", ", fitting.Select(candidate => $"'{candidate.Prefix}'"))}.");
            }
            fitting = meant;
        }
        if (fitting.Count > 1)
        {
            var averages = fitting.FindAll(candidate => IsAverage(candidate.Prefix));
            if (fitting.Count > 2 || averages.Count != 1)
            {
                throw new GraftException(
                    $"{checkpoint.Path} has several sets of weights that fit: {string.Join(", ", fitting.Select(candidate => $"'{candidate.Prefix}'"))}. "
                    + $"Say which is meant after the file's name: {checkpoint.Path}#{fitting[0].Prefix.TrimEnd('.', '/')}");
            }
            fitting = averages;
        }
        return fitting is [var fits, ..] ? new(checkpoint, fits.PartOf) : null;
    }

    private static bool IsAverage(string prefix) =>
        prefix.Split('.', '/', '_').Any(word => word.Equals("ema", StringComparison.OrdinalIgnoreCase) || word is "swa" or "averaged" or "average");

    private static List<Candidate> Candidates(
        Checkpoint checkpoint, Network network, Network whole, Network? auxiliary, IReadOnlyList<KeyMap> otherKeys)
    {
        IReadOnlyList<Parameter> known = [.. whole.Parameters, .. auxiliary?.Parameters ?? []];
        if (checkpoint is KerasCheckpoint keras)
        {
            return
            [
                .. from match in KerasMatching.Matches(keras, network, known)
                   let compared = Compare(checkpoint, network, match.PartOf, map: null)
                   select new Candidate(
                       match.Model,
                       match.PartOf,
                       [.. compared.Problems, .. Unexpected(match.Unknown.Select(tensor => checkpoint.Find(tensor)!))],
                       compared.Differing),
                .. from map in otherKeys
                   let partOf = known.ToDictionary(parameter => parameter.Key, map.PartOf, StringComparer.Ordinal)
                       .Where(part => part.Value.Tensors.All(checkpoint.Contains)).ToDictionary(StringComparer.Ordinal)
                   where partOf.Count > 0
                   let compared = Compare(checkpoint, network, partOf, map: null)
                   let used = partOf.Values.SelectMany(part => part.Tensors).ToHashSet(StringComparer.Ordinal)
                   let beside = keras.Layers.Where(layer => layer.Kind is "conv2d" or "layer_scale").SelectMany(layer => layer.TensorNames).Where(tensor => !used.Contains(tensor))
                   select new Candidate(
                       "", partOf, [.. compared.Problems, .. Unexpected(beside.Select(tensor => checkpoint.Find(tensor)!))], compared.Differing),
            ];
        }
        var candidates = new List<Candidate>();
        foreach (var map in (KeyMap[])[KeyMap.Own, .. otherKeys])
        {
            var parts = known.ToDictionary(parameter => parameter.Key, map.PartOf, StringComparer.Ordinal);
            var names = parts.Values.SelectMany(part => part.Tensors).ToHashSet(StringComparer.Ordinal);
            var prefixes = Prefixes(checkpoint, names);
            var replaced = ReplacedBlocks(network, whole);
            foreach (var prefix in prefixes)
            {
                var found = parts.Where(entry => entry.Value.Tensors.All(tensor => checkpoint.Contains(prefix + tensor)))
                    .ToDictionary(entry => entry.Key, entry => entry.Value with { Tensors = [.. entry.Value.Tensors.Select(tensor => prefix + tensor)] }, StringComparer.Ordinal);
                var compared = Compare(checkpoint, network, found, map, prefix);
                var unexpected = checkpoint.Tensors.Where(tensor =>
                    tensor.Name.StartsWith(prefix, StringComparison.Ordinal)
                    && tensor.Name.AsSpan(prefix.Length) is var own
                    && !names.Contains(own.ToString()) && !IsUnused(tensor.Name) && own.IndexOf('/') < 0
                    && !replaced.Any(block => tensor.Name.AsSpan(prefix.Length).StartsWith(block, StringComparison.Ordinal))
                    && !map.PassedOver.Any(other => tensor.Name.AsSpan(prefix.Length).StartsWith(other, StringComparison.Ordinal))
                    && !prefixes.Any(other => other.Length > prefix.Length && tensor.Name.StartsWith(other, StringComparison.Ordinal)));
                candidates.Add(new(prefix, found, [.. compared.Problems, .. Unexpected(unexpected)], compared.Differing));
            }
        }
        return candidates;
    }

    /// <summary>
    /// What the file puts before the network's names: the prefix under which it has most of them, and others under which it has as many.
    /// </summary>
    private static List<string> Prefixes(Checkpoint checkpoint, HashSet<string> names)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var tensor in checkpoint.Tensors)
        {
            for (var start = 0; start >= 0 && start < tensor.Name.Length; start = NextStart(tensor.Name, start))
            {
                if (!names.Contains(tensor.Name[start..])) continue;
                CollectionsMarshal.GetValueRefOrAddDefault(counts, tensor.Name[..start], out _)++;
            }
        }
        var most = counts.Count == 0 ? 0 : counts.Values.Max();
        if (most == 0) return [""];
        var prefixes = counts.Where(entry => entry.Value == most).Select(entry => entry.Key).OrderBy(prefix => prefix.Length).ToList();
        // What lies below another prefix is a second head or branch, unless it is the average of what lies beside it.
        return prefixes.FindAll(prefix => prefixes.TrueForAll(outer =>
            outer == prefix || !prefix.StartsWith(outer, StringComparison.Ordinal) || IsAverage(prefix[outer.Length..])));

        static int NextStart(string name, int start) => name.AsSpan(start).IndexOfAny('.', '/') is >= 0 and var at ? start + at + 1 : -1;
    }

    /// <summary>The blocks that only the rest of the whole network has: <c>fc.</c>, <c>classifier.</c>. Another head may stand there.</summary>
    private static List<string> ReplacedBlocks(Network network, Network whole)
    {
        if (whole == network) return [];
        var kept = network.Parameters.Select(parameter => Block(parameter.Layer)).ToHashSet(StringComparer.Ordinal);
        return [.. whole.Parameters.Select(parameter => Block(parameter.Layer)).Where(block => !kept.Contains(block)).Distinct()];

        static string Block(string layer) => layer.Split('.')[0] + ".";
    }

    private static (IReadOnlyList<string> Problems, IReadOnlyList<Parameter> Differing) Compare(
        Checkpoint checkpoint, Network network, Dictionary<string, TensorPart> partOf, KeyMap? map, string prefix = "")
    {
        var (problems, differing) = (new List<string>(), new List<Parameter>());
        var isKeras = checkpoint is KerasCheckpoint;
        var first = network.Layers[0].Name;
        foreach (var parameter in network.Parameters)
        {
            if (Problem(parameter) is not { } problem) continue;
            problems.Add(problem);
            differing.Add(parameter);
        }
        return (problems, differing);

        string? Problem(Parameter parameter)
        {
            var shape = ShapeIn(parameter, isKeras);
            var sizes = string.Join(", ", shape);
            if (!partOf.TryGetValue(parameter.Key, out var part))
                return $"missing: {(isKeras ? $"'{parameter.Layer}/{KerasLayout.Name(parameter.Role)}'" : $"'{prefix}{string.Join("', '" + prefix, map!.PartOf(parameter).Tensors)}'")} [{sizes}]";
            var found = part.Tensors.Select(checkpoint.Find).ToList();
            if (found.FindIndex(tensor => tensor is null) is >= 0 and var absent) return $"missing: '{part.Tensors[absent]}'";
            if (found.FirstOrDefault(tensor => tensor!.Type is not (TensorType.Float32 or TensorType.Float16 or TensorType.BFloat16 or TensorType.Float64)) is { } whole)
                return $"expected '{whole.Name}' in floating point, found {whole.Type}";
            var fits = found is [{ Shape: var single }] && part.IsWholeTensor && (HasShape(single, shape)
                    || (isKeras && KerasLayout.GroupedShape(parameter) is { } grouped && HasShape(single, grouped))
                    || (IsGray(parameter, single, isKeras) && network[parameter.Layer].Inputs is [var input] && input == first))
                || (map is not null && map != KeyMap.Own && HasSameNumbers(found!, part, parameter));
            return fits ? null : $"expected {part} [{sizes}], found {string.Join(" + ", found.Select(tensor => $"[{string.Join(", ", tensor!.Shape)}]"))}";
        }
    }

    private static bool HasSameNumbers(IReadOnlyList<TensorEntry> found, TensorPart part, Parameter parameter) =>
        found.All(tensor => tensor.Shape.Count > 0)
        && found.Sum(tensor => tensor.ElementCount) == (long)parameter.ElementCount * part.Parts
        && (part.IsTransposed ? found is [{ Shape: [_, var outputs] }] && outputs == parameter.Shape[0]
            : parameter.Role == ParameterRole.Embedding ? found is [{ Shape: var own }] && WithoutOnes(own).SequenceEqual(WithoutOnes([.. parameter.Shape.Select(size => (long)size)]))
            : found.Sum(tensor => tensor.Shape[0]) == (long)parameter.Shape[0] * part.Parts);

    /// <summary>Of a class token [1, 1, channels]: [channels].</summary>
    private static IEnumerable<long> WithoutOnes(IReadOnlyList<long> shape) => shape.SkipWhile(size => size == 1);

    private static IEnumerable<string> Unexpected(IEnumerable<TensorEntry> tensors) =>
        tensors.Select(tensor => $"unexpected: '{tensor.Name}' [{string.Join(", ", tensor.Shape)}]");

    /// <summary>
    /// What nothing in inference or training here uses: PyTorch's batch norm counts its batches, Swin keeps the numbers of its offsets, which follow from
    /// the window, Hugging Face those of positions, and DINOv2 the token that hid patches while it was trained.
    /// </summary>
    private static bool IsUnused(string tensor) =>
        tensor.AsSpan(tensor.LastIndexOf('.') + 1) is "num_batches_tracked" or "relative_position_index" or "relative_coords_table" or "position_ids" or "mask_token";
}

/// <summary>A file that does not fit a network; <see cref="Problems"/> has every tensor that differs.</summary>
public sealed class CheckpointMismatchException : GraftException
{
    internal CheckpointMismatchException(
        string path, Network network, string prefix, IReadOnlyList<string> problems, IReadOnlyList<Parameter> differing)
        : this(path, network, prefix, problems, differing, "Name the backbone that the file was saved from.")
    {
    }

    private CheckpointMismatchException(
        string path, Network network, string prefix, IReadOnlyList<string> problems, IReadOnlyList<Parameter> differing, string remedy)
        : base(
            $"{path} does not fit the network '{network.Name}': {problems.Count} tensor{(problems.Count == 1 ? "" : "s")} "
            + $"{(problems.Count == 1 ? "differs" : "differ")} ({Examples(problems)}). {Where(network, prefix, differing)}".TrimEnd()) =>
        (_path, _network, _prefix, Problems, Differing, Remedy) = (path, network, prefix, problems, differing, remedy);

    private readonly string _path, _prefix;
    private readonly Network _network;

    /// <summary>One line for each tensor that is missing, unexpected, or of another shape or type.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>The network's parameters that the file lacks or has in another shape, in the network's order.</summary>
    internal IReadOnlyList<Parameter> Differing { get; }

    /// <summary>The same with another remedy.</summary>
    internal CheckpointMismatchException WithRemedy(string remedy, string code, string? value) =>
        new(_path, _network, _prefix, Problems, Differing, remedy) { Code = code, Value = value };

    private static string Where(Network network, string prefix, IReadOnlyList<Parameter> differing)
    {
        var names = prefix.Length == 0 ? "" : $"The file's names begin with '{prefix}'. ";
        var layers = network.Parameters.Select(parameter => parameter.Layer).Distinct().ToList();
        if (differing.Count == 0) return names;
        var first = layers.IndexOf(differing[0].Layer);
        return names + (first == 0 ? $"They differ from the first layer on, '{layers[0]}'. "
            : $"The layers up to '{layers[first - 1]}' are the same; '{layers[first]}' is the first that differs. ");
    }

    private static string Examples(IReadOnlyList<string> problems)
    {
        // One of each sort says more than three of the first.
        var examples = problems.GroupBy(problem => problem.Split(' ')[0]).Select(sort => sort.First()).ToList();
        return string.Join("; ", examples) + (problems.Count > examples.Count ? "; …" : "");
    }
}
