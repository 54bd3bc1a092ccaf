using static Graft.Networks.Onnx.Import.OnnxSource;

namespace Graft.Networks.Onnx.Import;

/// <content>Nodes that compute nothing: they move, leave out or reshape what there is.</content>
internal sealed partial class OnnxNodes
{
    private bool Move(NodeProto node)
    {
        var name = node.Output[0];
        if (node.OpType is not ("Transpose" or "Reshape" or "Flatten" or "Squeeze" or "Unsqueeze" or "Slice" or "Gather" or "Split" or "SpaceToDepth")) return false;
        var x = this[node.Input[0]];
        switch (node.OpType)
        {
            case "Transpose":
                var axes = Ints(node, "perm") ?? [.. Enumerable.Range(0, x.Sizes.Length).Reverse().Select(axis => (long)axis)];
                _tensors[name] = x.Transposed(name, [.. axes.Select(axis => (int)axis)]);
                break;
            case "Reshape":
                _tensors[name] = x.Reshaped(name, Resolved(x.Sizes, _source.Longs(node.Input[1])));
                break;
            case "Flatten":
                var first = Axis(Int(node, "axis", 1));
                _tensors[name] = x.Reshaped(name, [ImportedTensor.Product(x.Sizes.AsSpan(0, first)), ImportedTensor.Product(x.Sizes.AsSpan(first))]);
                break;
            case "Squeeze":
                var squeezed = (_source.Longs(node, 1, "axes") ?? [.. Enumerable.Range(0, x.Sizes.Length).Where(axis => x.Sizes[axis] == 1).Select(axis => (long)axis)])
                    .Select(Axis).ToHashSet();
                _tensors[name] = x.Reshaped(name, [.. x.Sizes.Where((_, axis) => !squeezed.Contains(axis))]);
                break;
            case "Unsqueeze":
                List<int> sizes = [.. x.Sizes];
                var added = _source.Longs(node, 1, "axes") ?? throw new GraftException("its axes are not constant");
                foreach (var axis in added.Select(axis => (int)(axis < 0 ? axis + x.Sizes.Length + added.Length : axis)).Order()) sizes.Insert(axis, 1);
                _tensors[name] = x.Reshaped(name, [.. sizes]);
                break;
            // What ONNX Runtime makes of the four slices of a patch merging.
            case "SpaceToDepth" when x.Sizes is [var count, var depth, var height, var width]:
                var side = (int)Int(node, "blocksize", 1);
                var blocks = x.Reshaped(name, [count, depth, height / side, side, width / side, side]).Transposed(name, [0, 3, 5, 1, 2, 4]);
                _tensors[name] = blocks.Reshaped(name, [count, depth * side * side, height / side, width / side]);
                break;
            case "Gather":
                Gather(node, x);
                break;
            case "Split":
                Split(node, x);
                break;
            default:
                Slice(node, x);
                break;
        }
        return true;

        int Axis(long axis) => (int)(axis < 0 ? axis + x.Sizes.Length : axis);
    }

    private void Gather(NodeProto node, ImportedTensor x)
    {
        var axis = (int)Int(node, "axis", 0);
        if (axis < 0) axis += x.Sizes.Length;
        var (indices, sizes) = (_source.Longs(node.Input[1]), _source.Sizes(node.Input[1]));
        var part = x.Gathered(node.Output[0], axis, [.. indices.Select(index => (int)(index < 0 ? index + x.Sizes[axis] : index))]);
        _tensors[node.Output[0]] = part.Reshaped(part.Name, [.. part.Sizes[..axis], .. sizes, .. part.Sizes[(axis + 1)..]]);
    }

    private void Split(NodeProto node, ImportedTensor x)
    {
        x = _layers.Settled(x);
        var axis = (int)Int(node, "axis", 0);
        if (axis < 0) axis += x.Sizes.Length;
        var equal = (x.Sizes[axis] + node.Output.Count - 1) / node.Output.Count;
        var lengths = _source.Longs(node, 1, "split")
            ?? [.. node.Output.Select((_, index) => (long)Math.Min(equal, x.Sizes[axis] - index * equal))];
        var first = 0;
        foreach (var (output, length) in node.Output.Zip(lengths))
        {
            _tensors[output] = x.Sliced(output, axis, first, (int)length);
            first += (int)length;
        }
    }

    private void Slice(NodeProto node, ImportedTensor x)
    {
        x = _layers.Settled(x);
        var (starts, ends) = (_source.Longs(node, 1, "starts"), _source.Longs(node, 2, "ends"));
        if (starts is null || ends is null) throw new GraftException("its limits are not constant");
        var axes = _source.Longs(node, 3, "axes") ?? [.. starts.Select((_, axis) => (long)axis)];
        var steps = _source.Longs(node, 4, "steps") ?? [.. starts.Select(_ => 1L)];
        foreach (var (index, axisOrNegative) in axes.Index())
        {
            var axis = (int)(axisOrNegative < 0 ? axisOrNegative + x.Sizes.Length : axisOrNegative);
            if (steps[index] < 1) throw new GraftException("it goes backwards");
            var (start, end) = (Limit(starts[index]), Limit(ends[index]));
            x = x.Sliced(node.Output[0], axis, start, Math.Max(0, (end - start + (int)steps[index] - 1) / (int)steps[index]), (int)steps[index]);
            if (x.Count == 0) throw new GraftException("nothing is left of it");

            int Limit(long place) => (int)Math.Clamp(place < 0 ? place + x.Sizes[axis] : place, 0, x.Sizes[axis]);
        }
        _tensors[node.Output[0]] = x with { Name = node.Output[0] };
    }

    /// <summary>Sizes in which 0 stands for the present one, and −1 for what is left.</summary>
    internal static int[] Resolved(int[] sizes, long[] wanted)
    {
        int[] resolved = [.. wanted.Select((size, axis) => size == 0 && axis < sizes.Length ? sizes[axis] : (int)size)];
        var (known, open) = (1, -1);
        for (var axis = 0; axis < resolved.Length; axis++)
            if (resolved[axis] == -1) open = axis;
            else known = checked(known * resolved[axis]);
        if (open >= 0 && known > 0) resolved[open] = ImportedTensor.Product(sizes) / known;
        return ImportedTensor.Product(resolved) == ImportedTensor.Product(sizes)
            ? resolved
            : throw new GraftException($"it reshapes [{string.Join(", ", sizes)}] to [{string.Join(", ", wanted)}]");
    }
}
