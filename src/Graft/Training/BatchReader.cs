using Graft.Networks;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>
/// The inputs of batch after batch, [N, …], on the network's device. What takes time to read is read on another thread, a batch ahead; what
/// comes out is the same.
/// </summary>
internal sealed class BatchReader(TorchNetwork network, IExamples examples, int epoch, IReadOnlyList<int[]> batches) : IDisposable
{
    private readonly int _length = network.Network.InputShape.ElementCount;
    private readonly float[][] _buffers = examples.TakesTime ? [[], []] : [];
    private int _next;
    private Task? _ahead;

    /// <summary>The next batch's inputs; the caller's to dispose.</summary>
    public Tensor Next()
    {
        var number = _next++;
        var batch = batches[number];
        var inputs = empty([batch.Length, .. network.Network.InputShape.Sizes.Select(size => (long)size)], ScalarType.Float32);
        if (!examples.TakesTime)
        {
            examples.ReadBatch(batch, epoch, TorchNetwork.Values(inputs));
        }
        else
        {
            (_ahead ?? ReadAhead(number)).GetAwaiter().GetResult();
            // The other buffer fills while this one is used.
            _ahead = _next < batches.Count ? ReadAhead(_next) : null;
            _buffers[number % 2].AsSpan(0, batch.Length * _length).CopyTo(TorchNetwork.Values(inputs));
        }
        if (network.Device == DeviceType.CPU) return inputs;
        using (inputs) return inputs.to(network.Device);
    }

    /// <summary>Waits for what is being read.</summary>
    public void Dispose() => _ahead?.ContinueWith(_ => { }, TaskScheduler.Default).Wait();

    private Task ReadAhead(int number) => Task.Run(() =>
    {
        var batch = batches[number];
        ref var buffer = ref _buffers[number % 2];
        if (buffer.Length < batch.Length * _length) buffer = new float[batch.Length * _length];
        examples.ReadBatch(batch, epoch, buffer.AsSpan(0, batch.Length * _length));
    });
}
