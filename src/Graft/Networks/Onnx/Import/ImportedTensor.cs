namespace Graft.Networks.Onnx.Import;

/// <summary>Channels that were divided by their length at each position, before a layer does so.</summary>
/// <param name="Groups">For each channel: the first of those whose length it was divided by; -1 for none.</param>
/// <param name="Factors">What each was multiplied by afterwards.</param>
internal sealed record ChannelDirections(int[] Groups, float[] Factors);

/// <summary>
/// A tensor of an ONNX model, or a part of it: the elements of a layer's output, as the model lays them out. So transposed, reshaped, split and sliced
/// tensors are no layers; what matters is which element of the layer stands where.
/// </summary>
/// <param name="Name">The model's name for it.</param>
/// <param name="Layer">The layer whose elements these are.</param>
/// <param name="Shape">The layer's, without the batch.</param>
/// <param name="Sizes">The tensor's, for a batch of one image.</param>
/// <param name="Order">For each element of the tensor, its number among the layer's; null for the same order.</param>
internal sealed record ImportedTensor(string Name, string Layer, TensorShape Shape, int[] Sizes, int[]? Order = null)
{
    /// <summary>The elements are multiplied by this, where the model has done so and no layer yet.</summary>
    public float Factor { get; init; } = 1;

    /// <summary>Null where no channel was divided by a length. Attention alone makes layers of them: elsewhere <see cref="Plain"/> refuses them.</summary>
    public ChannelDirections? Directions { get; init; }

    public ImportedTensor Plain => Directions is null ? this : throw new GraftException("it takes tensors of length 1, which Graft compares in attention alone");

    public int Count => Product(Sizes);

    /// <summary>Whether every element of the layer stands somewhere.</summary>
    public bool IsWhole => Count == Shape.ElementCount;

    /// <summary>Along which axis the channels lie, all of them and in order; null for none.</summary>
    public int? ChannelAxis => FindChannelAxis(Shape, Sizes, Order);

    public int ElementAt(int index) => Order is null ? index : Order[index];

    /// <summary>The same elements under other sizes.</summary>
    public ImportedTensor Reshaped(string name, int[] sizes) => this with { Name = name, Sizes = sizes };

    public ImportedTensor Transposed(string name, int[] axes)
    {
        var strides = Strides(Sizes);
        return Picked(name, [.. axes.Select(axis => Sizes[axis])], [.. axes.Select(axis => strides[axis])], 0);
    }

    /// <summary>Every <paramref name="step"/>th of a range along an axis.</summary>
    public ImportedTensor Sliced(string name, int axis, int first, int count, int step = 1)
    {
        var strides = Strides(Sizes);
        var (offset, sizes) = (first * strides[axis], (int[])Sizes.Clone());
        (sizes[axis], strides[axis]) = (count, strides[axis] * step);
        return Picked(name, sizes, strides, offset);
    }

    /// <summary>The parts at these places along an axis.</summary>
    public ImportedTensor Gathered(string name, int axis, int[] places)
    {
        var (sizes, inner) = ((int[])Sizes.Clone(), Product(Sizes.AsSpan(axis + 1)));
        sizes[axis] = places.Length;
        var order = new int[Product(sizes)];
        for (var i = 0; i < order.Length; i++)
            order[i] = ElementAt((i / inner / places.Length * Sizes[axis] + places[i / inner % places.Length]) * inner + i % inner);
        return Ordered(name, sizes, order);
    }

    /// <summary>The elements along an axis, which are channels of one position, divided by their length.</summary>
    public ImportedTensor Normalized(string name, int axis)
    {
        if (axis < 0) axis += Sizes.Length;
        if (Factor <= 0) throw new GraftException("it normalizes a tensor times a number that is not above 0");
        var (groups, inner) = (new int[Shape.Channels], Product(Sizes.AsSpan(axis + 1)));
        Array.Fill(groups, -1);
        for (var fiber = 0; fiber < Count / Sizes[axis]; fiber++)
        {
            var first = fiber / inner * Sizes[axis] * inner + fiber % inner;
            var (position, group) = (PositionOf(Shape, ElementAt(first)), ChannelOf(Shape, ElementAt(first)));
            for (var place = 0; place < Sizes[axis]; place++)
            {
                var element = ElementAt(first + place * inner);
                ref var known = ref groups[ChannelOf(Shape, element)];
                if (PositionOf(Shape, element) != position || (known >= 0 && known != group)) throw new GraftException("it does not normalize channels of each position");
                known = group;
            }
        }
        return Plain with { Name = name, Factor = 1, Directions = new(groups, [.. groups.Select(_ => 1f)]) };
    }

    /// <summary>Directions times a number for each of their groups; null where the numbers lie otherwise.</summary>
    public ImportedTensor? Stretched(string name, float[] values, int[] sizes)
    {
        if (Directions is not { } directions || BroadcastTo(values, sizes) is not { } all) return null;
        var factors = (float[])directions.Factors.Clone();
        var isSet = new bool[factors.Length];
        for (var i = 0; i < all.Length; i++)
        {
            var channel = ChannelOf(Shape, ElementAt(i));
            if (isSet[channel] && factors[channel] != directions.Factors[channel] * all[i]) return null;
            (factors[channel], isSet[channel]) = (directions.Factors[channel] * all[i], true);
        }
        return this with { Name = name, Directions = directions with { Factors = factors } };
    }

    /// <summary>Of views of other channels of one layer each, those of all together.</summary>
    private static ChannelDirections? JoinedDirections(IReadOnlyList<ImportedTensor> parts)
    {
        if (parts.All(part => part.Directions is null)) return null;
        var (groups, factors) = (new int[parts[0].Shape.Channels], new float[parts[0].Shape.Channels]);
        Array.Fill(groups, -1);
        Array.Fill(factors, 1);
        foreach (var part in parts.Where(part => part.Directions is not null))
            for (var i = 0; i < part.Count; i++)
            {
                var channel = ChannelOf(part.Shape, part.ElementAt(i));
                (groups[channel], factors[channel]) = (part.Directions!.Groups[channel], part.Directions.Factors[channel]);
            }
        return new(groups, factors);
    }

    /// <summary>Several views of one layer, one after the other along an axis.</summary>
    public static ImportedTensor Joined(string name, IReadOnlyList<ImportedTensor> parts, int axis)
    {
        var sizes = (int[])parts[0].Sizes.Clone();
        sizes[axis] = parts.Sum(part => part.Sizes[axis]);
        var order = new int[Product(sizes)];
        var inner = Product(sizes.AsSpan(axis + 1));
        var position = 0;
        for (var outer = 0; outer < Product(sizes.AsSpan(0, axis)); outer++)
            foreach (var part in parts)
            {
                var length = part.Sizes[axis] * inner;
                for (var i = 0; i < length; i++) order[position++] = part.ElementAt(outer * length + i);
            }
        return parts[0].Ordered(name, sizes, order) with { Directions = JoinedDirections(parts) };
    }

    /// <summary>The same places in another layer whose channels are others and whose positions are the same; the channels lie along one axis.</summary>
    public ImportedTensor WithChannels(string name, string layer, TensorShape shape)
    {
        var axis = ChannelAxis!.Value;
        var sizes = (int[])Sizes.Clone();
        sizes[axis] = shape.Channels;
        var (inner, channels) = (Product(Sizes.AsSpan(axis + 1)), Shape.Channels);
        var order = new int[Product(sizes)];
        for (var i = 0; i < order.Length; i++)
        {
            var (outer, channel, rest) = (i / inner / shape.Channels, i / inner % shape.Channels, i % inner);
            var position = PositionOf(Shape, ElementAt(outer * channels * inner + rest));
            order[i] = ElementOf(shape, position, channel);
        }
        return new(name, layer, shape, sizes, IsIdentity(order) ? null : order);
    }

    /// <summary>The same places in another layer of the same shape.</summary>
    public ImportedTensor On(string name, string layer) => this with { Name = name, Layer = layer, Factor = 1 };

    /// <summary>Numbers that the model stretches over this tensor, as one for each channel; null where they differ within one.</summary>
    public float[]? PerChannel(float[] values, int[] sizes)
    {
        if (BroadcastTo(values, sizes) is not { } all) return null;
        var channels = new float[Shape.Channels];
        var isSet = new bool[channels.Length];
        for (var i = 0; i < all.Length; i++)
        {
            var channel = ChannelOf(Shape, ElementAt(i));
            if (isSet[channel] && channels[channel] != all[i]) return null;
            (channels[channel], isSet[channel]) = (all[i], true);
        }
        return isSet.All(set => set) ? channels : null;
    }

    /// <summary>The same as one for each element of the layer.</summary>
    public float[]? PerElement(float[] values, int[] sizes)
    {
        if (!IsWhole || BroadcastTo(values, sizes) is not { } all) return null;
        var elements = new float[all.Length];
        for (var i = 0; i < all.Length; i++) elements[ElementAt(i)] = all[i];
        return elements;
    }

    public static int ChannelOf(TensorShape shape, int element) =>
        shape.IsMap ? element / (shape.Height * shape.Width) : shape.IsTokens ? element % shape.Channels : element;

    public static int PositionOf(TensorShape shape, int element) =>
        shape.IsMap ? element % (shape.Height * shape.Width) : shape.IsTokens ? element / shape.Channels : 0;

    public static int ElementOf(TensorShape shape, int position, int channel) =>
        shape.IsMap ? channel * shape.Height * shape.Width + position : shape.IsTokens ? position * shape.Channels + channel : channel;

    public static int Product(ReadOnlySpan<int> sizes)
    {
        var product = 1;
        foreach (var size in sizes) product = checked(product * size);
        return product;
    }

    private ImportedTensor Picked(string name, int[] sizes, int[] strides, int offset)
    {
        var order = new int[Product(sizes)];
        var place = new int[sizes.Length];
        var element = offset;
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = ElementAt(element);
            for (var axis = sizes.Length - 1; axis >= 0; axis--)
            {
                element += strides[axis];
                if (++place[axis] < sizes[axis]) break;
                element -= strides[axis] * sizes[axis];
                place[axis] = 0;
            }
        }
        return Ordered(name, sizes, order);
    }

    private ImportedTensor Ordered(string name, int[] sizes, int[] order)
    {
        var kept = order.Length == Shape.ElementCount && IsIdentity(order) ? null : order;
        return this with { Name = name, Sizes = sizes, Order = kept };
    }

    private float[]? BroadcastTo(float[] values, int[] sizes)
    {
        if (sizes.Length > Sizes.Length) return null;
        var own = Enumerable.Repeat(1, Sizes.Length - sizes.Length).Concat(sizes).ToArray();
        if (own.Zip(Sizes).Any(pair => pair.First != 1 && pair.First != pair.Second)) return null;
        var strides = Strides(own);
        var all = new float[Count];
        for (var i = 0; i < all.Length; i++)
        {
            var (rest, index) = (i, 0);
            for (var axis = Sizes.Length - 1; axis >= 0; axis--)
            {
                if (own[axis] > 1) index += rest % Sizes[axis] * strides[axis];
                rest /= Sizes[axis];
            }
            all[i] = values[index];
        }
        return all;
    }

    private static int? FindChannelAxis(TensorShape shape, int[] sizes, int[]? order)
    {
        for (var axis = 0; axis < sizes.Length; axis++)
        {
            if (sizes[axis] != shape.Channels) continue;
            var inner = Product(sizes.AsSpan(axis + 1));
            var count = Product(sizes);
            var i = 0;
            while (i < count && ChannelOf(shape, order is null ? i : order[i]) == i / inner % sizes[axis]) i++;
            if (i == count) return axis;
        }
        return null;
    }

    private static bool IsIdentity(int[] order)
    {
        for (var i = 0; i < order.Length; i++)
            if (order[i] != i) return false;
        return true;
    }

    private static int[] Strides(int[] sizes)
    {
        var strides = new int[sizes.Length];
        for (var (axis, stride) = (sizes.Length - 1, 1); axis >= 0; stride *= sizes[axis--]) strides[axis] = stride;
        return strides;
    }
}
