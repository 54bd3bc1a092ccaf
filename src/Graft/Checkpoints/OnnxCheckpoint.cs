using System.Runtime.InteropServices;
using Google.Protobuf;
using Graft.Networks.Onnx;

namespace Graft.Checkpoints;

/// <summary>
/// The weights of an ONNX model's convolutions, dense layers and batch norms, named as PyTorch would name them if its layers were called as the
/// nodes are: <c>Convolution249.weight</c>, <c>BatchNormalization251.running_mean</c>. What other nodes hold is left out.
/// </summary>
public sealed class OnnxCheckpoint : Checkpoint
{
    private const int ExternalData = 1; // TensorProto.DataLocation

    private static readonly Dictionary<string, string[]> Inputs = new(StringComparer.Ordinal)
    {
        ["Conv"] = ["weight", "bias"],
        ["Gemm"] = ["weight", "bias"],
        ["BatchNormalization"] = ["weight", "bias", "running_mean", "running_var"],
    };

    private readonly TensorProto[] _values;

    private OnnxCheckpoint(string path, IReadOnlyList<(TensorEntry Entry, TensorProto Values)> tensors)
        : base(path, [.. tensors.Select(tensor => tensor.Entry)], new Dictionary<string, string>()) =>
        _values = [.. tensors.Select(tensor => tensor.Values)];

    internal static OnnxCheckpoint Load(string path)
    {
        ModelProto model;
        try
        {
            using var file = RegularFile.OpenRead(path);
            model = ModelProto.Parser.ParseFrom(file);
        }
        catch (InvalidProtocolBufferException problem)
        {
            throw new CheckpointException($"{path} is not an ONNX model, or a damaged one.", problem);
        }
        var constants = (model.Graph?.Initializer ?? []).Where(tensor => tensor.DataType == (int)TensorProto.Types.DataType.Float)
            .DistinctBy(tensor => tensor.Name).ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        var tensors = new List<(TensorEntry, TensorProto)>();
        foreach (var node in (model.Graph?.Node ?? []).Where(node => Inputs.ContainsKey(node.OpType)))
        {
            var name = node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault() ?? "";
            foreach (var (input, role) in node.Input.Skip(1).Zip(Inputs[node.OpType]))
            {
                if (!constants.TryGetValue(input, out var tensor)) continue;
                var entry = new TensorEntry($"{name}.{role}", TensorType.Float32, [.. tensor.Dims]);
                if (tensor.DataLocation == ExternalData)
                {
                    throw new CheckpointException(
                        $"{path} keeps its weights in a file of their own. Save it as one file (onnx.save_model with save_as_external_data=False).");
                }
                if (tensor.Dims.Any(size => size < 0) || entry.ElementCount != tensor.FloatData.Count + tensor.RawData.Length / sizeof(float))
                    throw new CheckpointException($"{path} has another number of values than the shape of {entry} says. It is damaged.");
                tensors.Add((entry, tensor));
            }
        }
        return new(path, tensors);
    }

    private protected override void ReadValues(int index, Span<float> destination)
    {
        var tensor = _values[index];
        if (tensor.FloatData.Count == 0)
        {
            MemoryMarshal.Cast<byte, float>(tensor.RawData.Span).CopyTo(destination);
            return;
        }
        for (var i = 0; i < destination.Length; i++) destination[i] = tensor.FloatData[i];
    }

    protected override void Dispose(bool disposing) { }
}
