using Google.Protobuf;
using Graft.Imaging;
using Graft.Inference;
using Graft.Networks.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Export;

/// <summary>A graph on its way to an exported file, run on photos; any of its tensors can be an output. Safe to use from many threads.</summary>
internal sealed class GraphSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly Preprocessing? _preprocessing;
    private readonly string[] _inputs, _outputs;

    /// <param name="model">Not changed.</param>
    /// <param name="preprocessing">Of a graph that takes a tensor; null where it takes photos.</param>
    /// <param name="outputs">Names of tensors.</param>
    public GraphSession(ModelProto model, Preprocessing? preprocessing, IReadOnlyList<string> outputs)
    {
        var graph = model.Graph.Clone();
        graph.Output.Clear();
        graph.Output.Add(outputs.Select(name => new ValueInfoProto { Name = name }));
        var wanted = new ModelProto(model) { Graph = graph };
        using var options = OnnxSessions.Options();
        _session = new(wanted.ToByteArray(), options);
        (_preprocessing, _inputs, _outputs) = (preprocessing, [graph.Input[0].Name], [.. outputs]);
    }

    /// <summary>Hands the outputs over, in their order; they are valid until it returns.</summary>
    public T Run<T>(RgbImage photo, Func<IReadOnlyList<OrtValue>, T> read)
    {
        using var input = PhotoTensor.Of(photo, _inputs[0], _preprocessing);
        using var outputs = _session.Run(_run, _inputs, [input], _outputs);
        return read([.. outputs]);
    }

    /// <summary>The first output.</summary>
    public float[] Run(RgbImage photo) => Run(photo, outputs => outputs[0].GetTensorDataAsSpan<float>().ToArray());

    public void Dispose()
    {
        _run.Dispose();
        _session.Dispose();
    }
}
