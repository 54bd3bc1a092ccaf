using System.Text.Json.Serialization;
using Graft.Inference;
using Graft.Networks.Onnx;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>What computes a frozen network's outputs. Both agree within 1e-4 of the largest output.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<InferenceEngine>))]
public enum InferenceEngine
{
    /// <summary>ONNX Runtime, the faster one.</summary>
    Onnx,

    /// <summary>libtorch, which also trains.</summary>
    Torch,
}

/// <summary>
/// A network for inference alone. It takes one image at a time, on the thread that calls it, and several threads may call at once: so all cores
/// are busy, and what is computed of an image never depends on the images beside it. It may be disposed of meanwhile: runs that have begun
/// finish, later ones throw.
/// </summary>
public abstract class FrozenNetwork : IDisposable
{
    private readonly UseGuard _guard;

    protected FrozenNetwork() => _guard = new(this, () => Dispose(disposing: true));

    /// <exception cref="GraftException">A layer that the engine does not know, or a device that cannot be used.</exception>
    public static FrozenNetwork Load(
        Network network, IWeights weights, InferenceEngine engine = InferenceEngine.Onnx, InferenceDevice device = InferenceDevice.Cpu)
    {
        if (engine != InferenceEngine.Onnx && device != InferenceDevice.Cpu)
            throw new GraftException("A frozen network computes on a GPU by ONNX Runtime alone. Take the engine Onnx, or the CPU.");
        if (network.Layers is [var image, { Operation: OnnxGraph graph } model, ..])
        {
            var first = new OnnxGraphNetwork(graph.Read(model, weights), network.ShapeOf(image.Name), network.ShapeOf(model.Name), device);
            return model == network.Output ? first : new Chain(first, Load(network.StartAfter(model.Name), weights, engine, device));
        }
        return engine == InferenceEngine.Onnx ? new OnnxNetwork(network, weights, device) : new TorchInference(network, weights);
    }

    /// <summary>An image [channels, height, width] → the output layer's activation.</summary>
    /// <exception cref="ObjectDisposedException">The network is disposed of.</exception>
    public float[] Run(float[] image)
    {
        using var use = _guard.Enter();
        return Compute(image);
    }

    /// <summary>To be held while several threads run the network at once.</summary>
    internal virtual IDisposable? LimitToOneThread() => null;

    public void Dispose()
    {
        _guard.Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>Called only before <see cref="Dispose(bool)"/>, from several threads.</summary>
    protected abstract float[] Compute(float[] image);

    protected abstract void Dispose(bool disposing);

    private sealed class Chain(FrozenNetwork first, FrozenNetwork second) : FrozenNetwork
    {
        protected override float[] Compute(float[] image) => second.Run(first.Run(image));

        internal override IDisposable? LimitToOneThread() => second.LimitToOneThread();

        protected override void Dispose(bool disposing)
        {
            if (!disposing) return;
            first.Dispose();
            second.Dispose();
        }
    }

    private sealed class TorchInference(Network network, IWeights weights) : FrozenNetwork
    {
        private readonly TorchNetwork _module = new(network, weights);
        private readonly long[] _inputShape = [1, .. network.InputShape.Sizes.Select(size => (long)size)];

        protected override float[] Compute(float[] image)
        {
            using var scope = NewDisposeScope();
            using var inference = inference_mode();
            return TorchNetwork.Values(_module.call(tensor(image, _inputShape)).contiguous()).ToArray();
        }

        internal override IDisposable LimitToOneThread() => new TorchThreads(1);

        protected override void Dispose(bool disposing)
        {
            if (disposing) _module.Dispose();
        }
    }
}
