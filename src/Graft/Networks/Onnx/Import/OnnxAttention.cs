namespace Graft.Networks.Onnx.Import;

/// <summary>
/// Scaled dot-product attention, as its nodes are met: queries times keys, scaled, plus numbers for places, softmax, times values; of all tokens, or of those
/// in each window of a map, where queries and keys may be divided by their lengths. Queries, keys and values may come of one dense layer or of three, in any order of heads: they become one whose outputs lie as
/// <see cref="SelfAttention"/> and <see cref="WindowAttention"/> want them, and any other scale goes into its weights.
/// </summary>
internal sealed class OnnxAttention(ImportedLayers layers)
{
    private const float Tolerance = 1e-5f;

    /// <summary>Queries [windows, heads, positions, width] times keys [windows, heads, width, positions], or after softmax each query's shares.</summary>
    /// <param name="Sizes">The product's.</param>
    /// <param name="Bias">Added to each element of it; null for nothing.</param>
    private sealed record Product(ImportedTensor Queries, ImportedTensor Keys, int[] Sizes, float Scale, float[]? Bias = null, bool IsShares = false)
    {
        /// <summary>What the product of each head is multiplied by; null for nothing.</summary>
        public float[]? HeadScales { get; init; }
    }

    /// <summary>What attends to what.</summary>
    private readonly record struct Extents(int Windows, int Heads, int Positions, int Width)
    {
        public int Channels => Heads * Width;
    }

    private readonly Dictionary<string, Product> _products = new(StringComparer.Ordinal);

    public bool Has(string tensor) => _products.ContainsKey(tensor);

    public void Multiply(string name, ImportedTensor queries, ImportedTensor keys)
    {
        if (queries.Sizes.Length < 3 || keys.Sizes.Length != queries.Sizes.Length) throw new GraftException("it multiplies two tensors that are not queries and keys");
        _products[name] = new(queries, keys, [.. queries.Sizes[..^1], keys.Sizes[^1]], queries.Factor * keys.Factor);
    }

    public void Scale(string name, string product, float factor)
    {
        if (_products[product].Bias is not null) throw new GraftException("it scales after numbers for places were added");
        _products[name] = _products[product] with { Scale = _products[product].Scale * factor };
    }

    /// <summary>Times a number for each head.</summary>
    public void ScaleHeads(string name, string product, float[] values, int[] sizes)
    {
        var before = _products[product];
        var (all, extents) = (PerElement(name, before, values, sizes), ExtentsOf(before.Sizes));
        float[] scales = [.. Enumerable.Range(0, extents.Heads).Select(head => all[head * extents.Positions * extents.Width])];
        if (before.Bias is not null || before.HeadScales is not null || all.Where((value, index) => value != scales[index / (extents.Positions * extents.Width) % extents.Heads]).Any())
            throw new GraftException("it does not multiply queries times keys by one number for each head");
        _products[name] = before with { HeadScales = scales };
    }

    public void Add(string name, string product, float[] values, int[] sizes)
    {
        var before = _products[product];
        var all = PerElement(name, before, values, sizes);
        if (before.Bias is { } bias)
            for (var i = 0; i < all.Length; i++) all[i] += bias[i];
        _products[name] = before with { Bias = all };
    }

    private static float[] PerElement(string name, Product product, float[] values, int[] sizes) =>
        new ImportedTensor(name, name, TensorShape.Vector(ImportedTensor.Product(product.Sizes)), product.Sizes).PerElement(values, sizes)
        ?? throw new GraftException("it takes numbers of other sizes than queries times keys");

    public void Reshape(string name, string product, long[] sizes) =>
        _products[name] = _products[product] with { Sizes = OnnxNodes.Resolved(_products[product].Sizes, sizes) };

    public void Softmax(string name, string product, long axis)
    {
        if (axis != -1 && axis != _products[product].Sizes.Length - 1) throw new GraftException("its softmax is not over the keys");
        _products[name] = _products[product] with { IsShares = true };
    }

    /// <summary>The last step: the values, weighted by each query's shares.</summary>
    public ImportedTensor Attend(string name, string shares, ImportedTensor values)
    {
        var product = _products[shares];
        if (!product.IsShares) throw new GraftException("Graft has no attention without softmax");
        var extents = ExtentsOf(values.Sizes);
        if (AttendByProbe(name, product, values, extents) is { } probe) return probe;
        if (ExtentsOf(product.Queries.Sizes) != extents || ExtentsOf(product.Keys.Sizes) != extents with { Positions = extents.Width, Width = extents.Positions })
            throw new GraftException("queries, keys and values have different sizes");
        var (columns, positions) = Lying(values, extents, isTurned: false);
        var parts = new[] { product.Queries, product.Keys, values };
        int[][] all = [Lying(product.Queries, extents, isTurned: false, positions).Columns, Lying(product.Keys, extents, isTurned: true, positions).Columns, columns];
        var cosines = CosineFactors(product, values, extents, all);
        var packed = Packed($"{name}/packed", [.. parts.Select(part => part.Layer)], all, [cosines is null ? product.Scale * MathF.Sqrt(extents.Width) : 1, 1, values.Factor]);
        if (cosines is not null) packed = Compare(name, packed, extents, cosines);
        var shape = values.Shape.WithChannels(extents.Channels);
        var layer = values.Shape.IsTokens ? AttendToAll(name, packed, extents, positions, product.Bias) : AttendInWindows(name, packed, extents, positions, product.Bias);
        var order = new int[ImportedTensor.Product(values.Sizes)];
        for (var index = 0; index < order.Length; index++)
        {
            var (rest, channel) = (index / extents.Width, index % extents.Width);
            var (position, head, window) = (rest % extents.Positions, rest / extents.Positions % extents.Heads, rest / extents.Positions / extents.Heads);
            order[index] = ImportedTensor.ElementOf(shape, positions[window * extents.Positions + position], head * extents.Width + channel);
        }
        return new(name, layer, shape, values.Sizes, order);
    }

    /// <summary>What the cosine of each query and key is multiplied by, for each head; null where products are compared.</summary>
    /// <param name="columns">The channels of queries, keys and values, head by head.</param>
    private static float[]? CosineFactors(Product product, ImportedTensor values, Extents extents, int[][] columns)
    {
        if (values.Directions is { } ofValues && columns[2].Any(channel => ofValues.Groups[channel] >= 0)) throw new GraftException("its values are of length 1");
        if (product is { Queries.Directions: null, Keys.Directions: null, HeadScales: null }) return null;
        var factors = new float[extents.Heads];
        for (var head = 0; head < factors.Length; head++)
        {
            factors[head] = product.Scale * (product.HeadScales?[head] ?? 1) * Factor(product.Queries.Directions, columns[0]) * Factor(product.Keys.Directions, columns[1]);
            if (factors[head] is not (> 0 and <= LargestCosineFactor)) throw new GraftException("it multiplies cosines by other numbers than those from 0 to 100");

            float Factor(ChannelDirections? directions, int[] channels)
            {
                var own = channels.AsSpan(head * extents.Width, extents.Width);
                if (directions is null || directions.Groups[own[0]] is not (>= 0 and var group) || directions.Groups.Count(other => other == group) != own.Length)
                    throw new GraftException("it does not compare the directions of queries and keys, head by head");
                foreach (var channel in own)
                    if (directions.Groups[channel] != group || directions.Factors[channel] != directions.Factors[own[0]])
                        throw new GraftException("it does not compare the directions of queries and keys, head by head");
                return directions.Factors[own[0]];
            }
        }
        return factors;
    }

    /// <summary>100, as it is rounded in products.</summary>
    private const float LargestCosineFactor = 100.001f;

    private string Compare(string name, string packed, Extents extents, float[] factors)
    {
        if (!layers.ShapeOf(packed).IsMap) throw new GraftException("it compares directions of tokens that are not a map's");
        // Keys have no numbers of their own to learn.
        if (layers[packed] is PointwiseDense { Bias: true } dense && layers.Weights[new Parameter(packed, ParameterRole.Bias, []).Key] is var bias && IsOfQueriesAndValues(bias))
        {
            var kernel = layers.Weights[new Parameter(packed, ParameterRole.DenseKernel, []).Key];
            packed = layers.Add($"{packed}/kernel", dense with { Bias = false }, layers.InputsOf(packed)[0]);
            layers.Weigh(packed, (ParameterRole.DenseKernel, kernel));
            packed = AddQueryValueBias($"{name}/query_value_bias", packed, bias);
        }
        var layer = layers.Add($"{name}/cosines", new CosineHeads(extents.Heads), packed);
        layers.Weigh(layer, (ParameterRole.LogitScale, [.. factors.Select(factor => (float)Math.Min(Math.Log(factor), CosineHeads.Largest))]));
        return layer;
    }

    /// <summary>Whether numbers for each channel are those of queries and values, with none for the keys between them.</summary>
    public static bool IsOfQueriesAndValues(float[] bias) =>
        bias.Length % 3 == 0 && bias.Length / 3 is var third && !bias.AsSpan(third, third).ContainsAnyExcept(0f)
        && bias.AsSpan(0, third).ContainsAnyExcept(0f) && bias.AsSpan(2 * third).ContainsAnyExcept(0f);

    public string AddQueryValueBias(string name, string input, float[] bias)
    {
        name = layers.Add(name, new QueryValueBias(), input);
        layers.Weigh(name, (ParameterRole.QueryValueBias, bias));
        return name;
    }

    /// <summary>The first of some tokens attends to those after it; null for any other attention.</summary>
    private ImportedTensor? AttendByProbe(string name, Product product, ImportedTensor values, Extents extents)
    {
        if (!values.Shape.IsTokens || values.Shape.Sizes[0] != extents.Positions + 1 || product.Bias is not null || product.Queries.Directions is not null || product.Queries.Layer != values.Layer || product.Keys.Layer != values.Layer
            || ExtentsOf(product.Queries.Sizes) != extents with { Positions = 1 } || ExtentsOf(product.Keys.Sizes) != extents with { Positions = extents.Width, Width = extents.Positions }) return null;
        int[] others = [.. Enumerable.Range(1, extents.Positions)];
        int[][] columns = [Lying(product.Queries, extents with { Positions = 1 }, isTurned: false, [0]).Columns,
            Lying(product.Keys, extents, isTurned: true, others).Columns, Lying(values, extents, isTurned: false, others).Columns];
        var packed = Packed($"{name}/packed", [values.Layer, values.Layer, values.Layer], columns, [product.Scale * MathF.Sqrt(extents.Width), 1, values.Factor]);
        var layer = layers.Add(name, new ProbeAttention(extents.Heads), packed);
        return new(name, layer, layers.ShapeOf(layer), [.. product.Queries.Sizes]);
    }

    private string AttendToAll(string name, string packed, Extents extents, int[] positions, float[]? bias)
    {
        if (extents.Windows != 1 || bias is not null || !positions.Select((position, index) => position == index).All(same => same) || layers.ShapeOf(packed).Sizes[0] != positions.Length)
            throw new GraftException("it does not attend to all tokens of an image");
        return layers.Add(name, new SelfAttention(extents.Heads), packed);
    }

    private string AttendInWindows(string name, string packed, Extents extents, int[] positions, float[]? bias)
    {
        var map = layers.ShapeOf(packed);
        var side = (int)Math.Round(Math.Sqrt(extents.Positions));
        if (side * side != extents.Positions || positions.Length != map.Height * map.Width || map.Height % side != 0 || map.Width % side != 0)
            throw new GraftException("it does not attend to square windows of a map");
        foreach (var isShifted in (bool[])[false, true])
        {
            var operation = new WindowAttention(extents.Heads, side, isShifted);
            var windows = operation.WindowsOf(map.Height, map.Width);
            if (!windows.Positions().SequenceEqual(positions) || Offsets(windows, extents, bias) is not { } offsets) continue;
            var layer = layers.Add(name, operation, packed, packed);
            layers.Weigh(layer, (ParameterRole.RelativePositions, offsets));
            return layer;
        }
        throw new GraftException("it attends to other windows of a map than Graft knows, or adds other numbers than one for each offset");
    }

    /// <summary>The number for each offset and head; null where what is added is something else.</summary>
    private static float[]? Offsets(Windows windows, Extents extents, float[]? bias)
    {
        var table = new float[(windows.Offsets().Max() + 1) * extents.Heads];
        if (bias is null) return windows.IsMasked ? null : table;
        var (area, numbers, mask) = (windows.Area, windows.Offsets(), windows.IsMasked ? windows.Mask() : new float[extents.Windows * windows.Area * windows.Area]);
        var isSet = new bool[table.Length];
        for (var index = 0; index < bias.Length; index++)
        {
            var (pair, head, window) = (index % (area * area), index / (area * area) % extents.Heads, index / (area * area) / extents.Heads);
            var value = bias[index] - mask[window * area * area + pair];
            var place = numbers[pair] * extents.Heads + head;
            // Numbers that a hundred was taken of and given back have lost their last digits.
            if (isSet[place] && Math.Abs(table[place] - value) > (mask[window * area * area + pair] == 0 ? Tolerance : 100 * Tolerance)) return null;
            if (!isSet[place] || mask[window * area * area + pair] == 0) (table[place], isSet[place]) = (value, true);
        }
        return table;
    }

    /// <summary>Which of a layer's channels are in which place, by head; and which of its positions, by window.</summary>
    /// <param name="isTurned">Of keys, whose width comes before their positions.</param>
    /// <param name="expected">The positions that others have.</param>
    private static (int[] Columns, int[] Positions) Lying(ImportedTensor tensor, Extents extents, bool isTurned, int[]? expected = null)
    {
        var columns = new int[extents.Channels];
        var positions = expected ?? [.. Enumerable.Range(0, extents.Windows * extents.Positions)
            .Select(index => ImportedTensor.PositionOf(tensor.Shape, Element(index / extents.Positions, 0, index % extents.Positions, 0)))];
        for (var column = 0; column < columns.Length; column++)
        {
            columns[column] = ImportedTensor.ChannelOf(tensor.Shape, Element(0, column / extents.Width, 0, column % extents.Width));
            for (var index = 0; index < positions.Length; index++)
                if (Element(index / extents.Positions, column / extents.Width, index % extents.Positions, column % extents.Width)
                    != ImportedTensor.ElementOf(tensor.Shape, positions[index], columns[column])) throw new GraftException("its heads have different channels at different positions");
        }
        return (columns, positions);

        int Element(int window, int head, int position, int channel) => tensor.ElementAt(
            (window * extents.Heads + head) * extents.Positions * extents.Width + (isTurned ? channel * extents.Positions + position : position * extents.Width + channel));
    }

    /// <summary>One dense layer for queries, keys and values of the outputs of up to three.</summary>
    private string Packed(string name, string[] sources, int[][] columns, float[] scales)
    {
        var units = columns.Sum(part => part.Length);
        if (sources.Distinct().Count() == 1 && scales.All(scale => Math.Abs(scale - 1) < Tolerance) && layers.ShapeOf(sources[0]).Channels == units
            && columns.SelectMany(part => part).Select((column, index) => column == index).All(same => same)) return sources[0];
        if (sources.Any(source => layers[source] is not PointwiseDense) || sources.Select(source => layers.InputsOf(source)[0]).Distinct().Count() > 1)
            throw new GraftException("its queries, keys and values are not made of the same tokens by dense layers");
        var input = layers.InputsOf(sources[0])[0];
        var depth = layers.ShapeOf(input).Channels;
        var (kernel, bias) = (new float[units * depth], new float[units]);
        var unit = 0;
        for (var part = 0; part < 3; part++)
        {
            var dense = (PointwiseDense)layers[sources[part]];
            var weights = layers.Weights[new Parameter(sources[part], ParameterRole.DenseKernel, []).Key];
            var shifts = dense.Bias ? layers.Weights[new Parameter(sources[part], ParameterRole.Bias, []).Key] : new float[dense.Units];
            foreach (var column in columns[part])
            {
                for (var i = 0; i < depth; i++) kernel[unit * depth + i] = scales[part] * weights[column * depth + i];
                bias[unit++] = scales[part] * shifts[column];
            }
        }
        var hasBias = sources.Any(source => ((PointwiseDense)layers[source]).Bias);
        name = layers.Add(name, new PointwiseDense(units, hasBias), input);
        layers.Weigh(name, (ParameterRole.DenseKernel, kernel));
        if (hasBias) layers.Weigh(name, (ParameterRole.Bias, bias));
        return name;
    }

    /// <summary>Of [heads, positions, width], with or without windows and a batch before it.</summary>
    private static Extents ExtentsOf(int[] sizes) => sizes.Length >= 3
        ? new(ImportedTensor.Product(sizes.AsSpan(0, sizes.Length - 3)), sizes[^3], sizes[^2], sizes[^1])
        : throw new GraftException($"it does not attend to tokens ([{string.Join(", ", sizes)}])");
}
