using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>Sets how many threads libtorch computes an operation with, until disposed.</summary>
internal sealed class TorchThreads : IDisposable
{
    private readonly int _before = get_num_threads();

    public TorchThreads(int count) => set_num_threads(count);

    public void Dispose() => set_num_threads(_before);
}
