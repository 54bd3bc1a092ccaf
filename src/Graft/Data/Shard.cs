using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Graft.Data;

/// <summary>
/// One of several parts of a set of photos, each a job of its own. The shard of a photo follows from its content alone (SHA-256), whatever it
/// is called and wherever it lies: copies share a shard, and photos that come later move none.
/// </summary>
public readonly record struct Shard
{
    /// <summary>More jobs than any cluster runs at once.</summary>
    private const int MostShards = 1_000_000;

    /// <exception cref="GraftException">There is no such shard.</exception>
    public Shard(int number, int of)
    {
        if (of is < 1 or > MostShards || number < 1 || number > of)
            throw new GraftException($"There is no shard {number}/{of}. Expected I/N, I from 1 to N, such as 3/8.");
        (Number, Count) = (number, of);
    }

    /// <summary>From 1 to <see cref="Count"/>.</summary>
    public int Number { get; }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>
    /// Reads <c>3/8</c>; or <c>auto</c>, which takes both numbers from the environment of the job, and <c>auto/8</c>, which takes the first. Known
    /// are Slurm's array jobs, indexed jobs of Kubernetes (which do not say how many there are), AWS Batch's array jobs and Open MPI.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="environment">Gives a variable's value; null for this process's environment.</param>
    /// <exception cref="GraftException">It is neither, or the environment says no shard.</exception>
    public static Shard Parse(string text, Func<string, string?>? environment = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        environment ??= Environment.GetEnvironmentVariable;
        var (first, second) = text.Split('/') is [var number, var of] ? (number, of) : (text, null);
        var count = second is null ? (int?)null : Whole(second) ?? throw Unread(text);
        if (first == "auto") return FromEnvironment(environment, count);
        return Whole(first) is { } index && count is { } all ? new(index, all) : throw Unread(text);
    }

    /// <summary>Whether a photo of such content is in this shard.</summary>
    /// <param name="hash">SHA-256 of the file.</param>
    public bool Holds(ReadOnlySpan<byte> hash) => BinaryPrimitives.ReadUInt64BigEndian(hash) % (ulong)Count == (ulong)(Number - 1);

    /// <summary>Which of the photos are in this shard; one that cannot be read belongs to a shard by its name, so that one of them reports it.</summary>
    /// <param name="names">Of the photos.</param>
    /// <param name="hashes">Of the photos; null of those that cannot be read.</param>
    internal IEnumerable<int> Of(IReadOnlyList<string> names, IReadOnlyList<byte[]?> hashes)
    {
        for (var index = 0; index < names.Count; index++)
            if (Holds(hashes[index] ?? SHA256.HashData(Encoding.UTF8.GetBytes(names[index])))) yield return index;
    }

    /// <summary><c>3/8</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number}/{Count}");

    private static Shard FromEnvironment(Func<string, string?> environment, int? count)
    {
        if (Value("SLURM_ARRAY_TASK_ID") is { } task)
        {
            var (first, step) = (Value("SLURM_ARRAY_TASK_MIN") ?? 0, Value("SLURM_ARRAY_TASK_STEP") ?? 1);
            var all = Value("SLURM_ARRAY_TASK_COUNT");
            if (all is not null && Value("SLURM_ARRAY_TASK_MAX") is { } last && first + (all - 1) * step != last)
                throw new GraftException($"Slurm's array from {first} to {last} has {all} tasks: it leaves numbers out, so that shards would be missing. Run an array of consecutive numbers, or say I/N.");
            return Of("Slurm", (task - first) / Math.Max(1, step), all);
        }
        if (Value("JOB_COMPLETION_INDEX") is { } completion) return Of("Kubernetes", completion, null);
        if (Value("AWS_BATCH_JOB_ARRAY_INDEX") is { } index) return Of("AWS Batch", index, Value("AWS_BATCH_JOB_ARRAY_SIZE"));
        if (Value("OMPI_COMM_WORLD_RANK") is { } rank) return Of("Open MPI", rank, Value("OMPI_COMM_WORLD_SIZE"));
        throw new GraftException("No scheduler says which shard this is: none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX and OMPI_COMM_WORLD_RANK is set. Say I/N, such as 3/8.");

        int? Value(string name) => environment(name) is { Length: > 0 } text
            ? Whole(text) ?? throw new GraftException($"{name} is '{text}'; expected a whole number.")
            : null;

        Shard Of(string scheduler, int place, int? all)
        {
            if (all is not null && count is not null && all != count)
                throw new GraftException($"{scheduler} runs {all} jobs, and {count} shards were asked for: photos would be missing. Ask for as many as there are jobs.");
            return (all ?? count) is { } known
                ? new(place + 1, known)
                : throw new GraftException($"{scheduler} says that this is job {place}, and not how many there are. Say auto/N, N as many as the jobs.");
        }
    }

    private static int? Whole(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static GraftException Unread(string text) => new($"'{text}' is no shard. Expected I/N, I from 1 to N, such as 3/8; or auto, which asks the scheduler.");
}
