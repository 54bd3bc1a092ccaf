using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>libtorch's threads: how many it computes an operation with, until disposed; and Graft's own work on them.</summary>
internal sealed unsafe class TorchThreads : IDisposable
{
    private static readonly delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void> Parallelize = FindParallelize();

    private readonly int _before = get_num_threads();

    public TorchThreads(int count) => set_num_threads(count);

    public void Dispose() => set_num_threads(_before);

    /// <summary>
    /// Does the same on several threads at once: libtorch's own where it is known how, since threads of .NET would wait beside those for the
    /// cores, at every change from one to the other.
    /// </summary>
    /// <param name="work">Shares itself out among those that do it. It must not throw.</param>
    public static void Run(int threads, Action work)
    {
        if (Parallelize == null)
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ => work());
            return;
        }
        var handle = GCHandle.Alloc(work);
        try
        {
            Parallelize(&OnThread, GCHandle.ToIntPtr(handle), (uint)threads, 0);
        }
        finally
        {
            handle.Free();
        }
    }

    [UnmanagedCallersOnly]
    private static void OnThread(nint work) => Unsafe.As<Action>(GCHandle.FromIntPtr(work).Target!)();

    /// <summary>GNU's OpenMP, which libtorch brings on Linux, under the name by which compiled code calls it.</summary>
    private static delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void> FindParallelize() =>
        OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libtorch_cpu.so", out var library)
        && NativeLibrary.TryGetExport(library, "GOMP_parallel", out var address)
            ? (delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void>)address
            : null;
}
