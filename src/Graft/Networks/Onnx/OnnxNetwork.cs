using Graft.Inference;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Networks.Onnx;

/// <summary>A network in ONNX Runtime.</summary>
internal sealed class OnnxNetwork : FrozenNetwork
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly string[] _inputs, _outputs;
    private readonly long[] _inputShape, _outputShape;
    private readonly int _outputLength;

    /// <exception cref="GraftException">A layer has no counterpart in ONNX, or the device cannot be used.</exception>
    public OnnxNetwork(Network network, IWeights weights, InferenceDevice device = InferenceDevice.Cpu)
    {
        using var options = OnnxSessions.Options();
        _session = Open(OnnxModel.Of(network, weights).ToArray(), options, device);
        (_inputs, _outputs) = ([network.Layers[0].Name], [network.Output.Name]);
        _inputShape = [1, .. network.InputShape.Sizes.Select(size => (long)size)];
        _outputShape = [1, .. network.OutputShape.Sizes.Select(size => (long)size)];
        _outputLength = network.OutputShape.ElementCount;
    }

    /// <exception cref="GraftException">The device cannot be used.</exception>
    public static InferenceSession Open(byte[] model, SessionOptions options, InferenceDevice device)
    {
        try
        {
            return DeviceSession.Open(model, options, device);
        }
        catch (DeviceException missing)
        {
            throw new GraftException(missing.Problem, missing) { Code = "device-missing", Remedy = DeviceException.Remedy };
        }
    }

    protected override float[] Compute(float[] image)
    {
        var result = new float[_outputLength];
        using var input = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, image.AsMemory(), _inputShape);
        using var output = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, result.AsMemory(), _outputShape);
        _session.Run(_run, _inputs, [input], _outputs, [output]);
        return result;
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _run.Dispose();
        _session.Dispose();
    }
}
