using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;

namespace Graft.Ranks;

/// <summary>
/// The ranks that Open MPI's <c>mpirun</c> started. Its library is the system's (Debian, Ubuntu: <c>openmpi-bin</c>), called directly; versions 3, 4 and 5 have
/// the same binary interface, <c>libmpi.so.40</c>.
/// </summary>
public sealed partial class OpenMpi : ICollective
{
    private const string Library = "libmpi.so.40";

    private const string SizeVariable = "OMPI_COMM_WORLD_SIZE", RankVariable = "OMPI_COMM_WORLD_RANK";

    /// <summary>What starts processes of MPICH and its relatives sets this.</summary>
    private const string OtherSizeVariable = "PMI_SIZE";

    /// <summary>MPI_THREAD_SERIALIZED, MPI_IN_PLACE and MPI_MAX_PROCESSOR_NAME of Open MPI's mpi.h.</summary>
    private const int OneThreadAtATime = 2, LongestName = 256;
    private const nint InPlace = 1;

    /// <summary>Counts are 32-bit numbers.</summary>
    private const int MostElements = 1 << 28;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(1);

    private readonly nint _world, _float, _double, _byte, _int, _sum;
    private bool _isFinished;

    private OpenMpi(nint library)
    {
        // Handles are the addresses of the library's own objects.
        (_world, _sum) = (NativeLibrary.GetExport(library, "ompi_mpi_comm_world"), NativeLibrary.GetExport(library, "ompi_mpi_op_sum"));
        (_float, _double) = (NativeLibrary.GetExport(library, "ompi_mpi_float"), NativeLibrary.GetExport(library, "ompi_mpi_double"));
        (_byte, _int) = (NativeLibrary.GetExport(library, "ompi_mpi_byte"), NativeLibrary.GetExport(library, "ompi_mpi_int"));
        Check(MPI_Init_thread(0, 0, OneThreadAtATime, out var provided));
        if (provided < OneThreadAtATime) throw new GraftException("This Open MPI was built without support for threads. Install one with it, as distributions have.");
        Check(MPI_Comm_rank(_world, out var rank));
        Check(MPI_Comm_size(_world, out var size));
        var name = new byte[LongestName];
        Check(MPI_Get_processor_name(name, out var length));
        (Rank, Size, Name) = (rank, size, $"rank {rank} of {size} on {Encoding.UTF8.GetString(name, 0, length)}");
    }

    public int Rank { get; }

    public int Size { get; }

    public string Name { get; }

    /// <summary>The number of this process among those of <c>mpirun</c>, as the environment says it; null where it was started alone.</summary>
    public static int? StartedAs => CountOf(SizeVariable) > 1 ? CountOf(RankVariable) : null;

    /// <summary>Joins the ranks that this process was started with; once in a process.</summary>
    /// <returns>Null where the process was started alone.</returns>
    /// <exception cref="GraftException">Open MPI's library is missing, or another MPI started this process.</exception>
    public static OpenMpi? Join()
    {
        if (StartedAs is null)
        {
            return CountOf(OtherSizeVariable) > 1
                ? throw new GraftException(
                    "This process is one of several that MPICH or a relative of it started, and Graft speaks Open MPI. Start it with the mpirun of Open MPI "
                    + "(Debian, Ubuntu: mpirun.openmpi of the package openmpi-bin).")
                { Code = "other-mpi" }
                : null;
        }
        if (!NativeLibrary.TryLoad(Library, out var library))
        {
            throw new GraftException(
                $"This process is one of {CountOf(SizeVariable)} that mpirun started, and Open MPI's library {Library} cannot be loaded on {Environment.MachineName}. "
                + "Install it there (Debian, Ubuntu: apt install openmpi-bin), or name its folder in LD_LIBRARY_PATH.")
            { Code = "open-mpi-missing" };
        }
        return new(library);
    }

    public unsafe void AllReduce(torch.Tensor values)
    {
        if (values.device_type != DeviceType.CPU)
        {
            using var copy = values.cpu();
            AllReduce(copy);
            values.copy_(copy);
            return;
        }
        if (values.dtype != torch.ScalarType.Float32 || !values.is_contiguous()) throw new ArgumentException("Expected a contiguous float32 tensor.", nameof(values));
        var total = values.numel();
        using var flat = values.detach().view(-1);
        for (var start = 0L; start < total; start += MostElements)
        {
            using var part = flat.narrow(0, start, Math.Min(MostElements, total - start));
            fixed (byte* memory = part.bytes) Check(MPI_Allreduce(InPlace, (nint)memory, (int)part.numel(), _float, _sum, _world));
        }
    }

    public unsafe void AllReduce(Span<double> values)
    {
        fixed (double* memory = values) Check(MPI_Allreduce(InPlace, (nint)memory, values.Length, _double, _sum, _world));
    }

    public unsafe void Broadcast(Span<byte> values)
    {
        fixed (byte* memory = values) Check(MPI_Bcast((nint)memory, values.Length, _byte, 0, _world));
    }

    public unsafe byte[][] AllGather(ReadOnlySpan<byte> own)
    {
        var (length, lengths) = (own.Length, new int[Size]);
        fixed (int* ofAll = lengths) Check(MPI_Allgather((nint)(&length), 1, _int, (nint)ofAll, 1, _int, _world));
        var starts = new int[Size];
        for (var rank = 1; rank < Size; rank++) starts[rank] = checked(starts[rank - 1] + lengths[rank - 1]);
        var together = new byte[checked(starts[^1] + lengths[^1])];
        fixed (byte* from = own, to = together) Check(MPI_Allgatherv((nint)from, own.Length, _byte, (nint)to, lengths, starts, _byte, _world));
        return [.. starts.Zip(lengths, (start, count) => together.AsSpan(start, count).ToArray())];
    }

    public void Barrier()
    {
        // MPI's own waits by asking without a pause, on a core that another rank may need.
        Check(MPI_Ibarrier(_world, out var request));
        for (Check(MPI_Test(ref request, out var isDone, 0)); isDone == 0; Check(MPI_Test(ref request, out isDone, 0))) Thread.Sleep(Poll);
    }

    public void Abort(int exitCode) => _ = MPI_Abort(_world, exitCode);

    /// <summary>Waits for all other ranks to end, too.</summary>
    public void Dispose()
    {
        if (_isFinished) return;
        _isFinished = true;
        Barrier();
        Check(MPI_Finalize());
    }

    private static int CountOf(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;

    /// <summary>Open MPI itself ends all ranks when a call fails, unless told otherwise.</summary>
    private static void Check(int result)
    {
        if (result != 0) throw new GraftException($"Open MPI failed with its error {result}.");
    }

    [LibraryImport(Library)]
    private static partial int MPI_Init_thread(nint argumentCount, nint arguments, int required, out int provided);

    [LibraryImport(Library)]
    private static partial int MPI_Comm_rank(nint communicator, out int rank);

    [LibraryImport(Library)]
    private static partial int MPI_Comm_size(nint communicator, out int size);

    [LibraryImport(Library)]
    private static partial int MPI_Get_processor_name([Out] byte[] name, out int length);

    [LibraryImport(Library)]
    private static partial int MPI_Allreduce(nint from, nint to, int count, nint type, nint operation, nint communicator);

    [LibraryImport(Library)]
    private static partial int MPI_Bcast(nint values, int count, nint type, int root, nint communicator);

    [LibraryImport(Library)]
    private static partial int MPI_Allgather(nint from, int count, nint type, nint to, int countOfEach, nint typeOfEach, nint communicator);

    [LibraryImport(Library)]
    private static partial int MPI_Allgatherv(
        nint from, int count, nint type, nint to, [In] int[] counts, [In] int[] starts, nint typeOfEach, nint communicator);

    [LibraryImport(Library)]
    private static partial int MPI_Ibarrier(nint communicator, out nint request);

    [LibraryImport(Library)]
    private static partial int MPI_Test(ref nint request, out int isDone, nint status);

    [LibraryImport(Library)]
    private static partial int MPI_Abort(nint communicator, int exitCode);

    [LibraryImport(Library)]
    private static partial int MPI_Finalize();
}
