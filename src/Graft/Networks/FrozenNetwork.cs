using System.Text.Json.Serialization;
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
/// are busy, and what is computed of an image never depends on the images beside it.
/// </summary>
public abstract class FrozenNetwork : IDisposable
{
    /// <exception cref="GraftException">A layer that the engine does not know.</exception>
    public static FrozenNetwork Load(Network network, IWeights weights, InferenceEngine engine = InferenceEngine.Onnx)
    {
        if (network.Layers is [var image, { Operation: OnnxGraph graph } model, ..])
        {
            var first = new OnnxGraphNetwork(graph.Read(model, weights), network.ShapeOf(image.Name), network.ShapeOf(model.Name));
            return model == network.Output ? first : new Chain(first, Load(network.StartAfter(model.Name), weights, engine));
        }
        return engine == InferenceEngine.Onnx ? new OnnxNetwork(network, weights) : new TorchInference(network, weights);
    }

    /// <summary>An image [channels, height, width] → the output layer's activation.</summary>
    public abstract float[] Run(float[] image);

    /// <summary>To be held while several threads run the network at once.</summary>
    internal virtual IDisposable? OneThreadEach() => null;

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);

    private sealed class Chain(FrozenNetwork first, FrozenNetwork second) : FrozenNetwork
    {
        public override float[] Run(float[] image) => second.Run(first.Run(image));

        internal override IDisposable? OneThreadEach() => second.OneThreadEach();

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

        public override float[] Run(float[] image)
        {
            using var scope = NewDisposeScope();
            using var inference = inference_mode();
            return TorchNetwork.Values(_module.call(tensor(image, _inputShape)).contiguous()).ToArray();
        }

        internal override IDisposable OneThreadEach() => new TorchThreads(1);

        protected override void Dispose(bool disposing)
        {
            if (disposing) _module.Dispose();
        }
    }
}
