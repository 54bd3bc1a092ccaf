using Graft.Data;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Graft.Unlabeled;

/// <summary>Why a photo is asked for.</summary>
public enum QueueReason
{
    /// <summary>The model hesitates between two classes.</summary>
    Unsure,

    /// <summary>It is far from all photos with a label, and from those asked for before it.</summary>
    Diverse,

    /// <summary>Drawn at random: these alone are an honest estimate of how good the model is.</summary>
    Random,
}

/// <summary>A photo to label next.</summary>
/// <param name="Photo">Its number.</param>
/// <param name="Batch">Photos of one number look alike and are best labeled together; the batches are numbered from 1.</param>
public readonly record struct QueuedPhoto(int Photo, QueueReason Reason, int Batch);

/// <summary>
/// What to label next: of the photos that the model is least sure of (the smallest margin between the two most probable classes), the most typical one of each cluster; one in ten
/// is the farthest from all that are labeled (farthest first: Gonzalez 1985; core sets: Sener and Savarese 2018, arXiv:1708.00489), for what nobody has shown yet; and one in ten is
/// drawn at random. Farthest first among the unsure ones asks for oddities, and was worse than random choice on flowers.
/// </summary>
public sealed record ActiveSelection
{
    /// <summary>How many photos. Default 50.</summary>
    public int Count { get; init; } = 50;

    /// <summary>The share drawn at random. Default 0.1.</summary>
    public double RandomShare { get; init; } = 0.1;

    /// <summary>The share chosen for being far from the others. Default 0.1.</summary>
    public double DiverseShare { get; init; } = 0.1;

    /// <summary>Among how many times as many of the least sure the typical ones are chosen. Default 8.</summary>
    public int Candidates { get; init; } = 8;

    /// <param name="unlabeled">The features of each photo without a label.</param>
    /// <param name="probabilities">What the model says of each.</param>
    /// <param name="labeled">The features of photos with a label; may be empty.</param>
    /// <param name="seed">Of the random ones.</param>
    public IReadOnlyList<QueuedPhoto> Next(
        IReadOnlyList<float[]> unlabeled, IReadOnlyList<IReadOnlyList<float>> probabilities, IReadOnlyList<float[]> labeled, int seed = 1, CancellationToken cancellation = default)
    {
        if (Count < 1) throw new GraftException($"Expected at least 1 photo to label, found {Count}.");
        var count = Math.Min(Count, unlabeled.Count);
        if (count == 0) return [];
        float[][] rows = [.. unlabeled.Select(Direction)];
        float[][] known = [.. labeled.Select(Direction)];
        var random = new SplitMix64((ulong)(uint)seed);
        var taken = new Dictionary<int, QueueReason>();

        // The random ones first: what is chosen otherwise must not change them.
        var shuffled = Enumerable.Range(0, rows.Length).ToArray();
        random.Shuffle(shuffled);
        foreach (var photo in shuffled.Take((int)Math.Round(RandomShare * count))) taken[photo] = QueueReason.Random;

        var distances = new float[rows.Length];
        Parallel.For(0, rows.Length, new() { CancellationToken = cancellation }, photo => distances[photo] = Nearest(rows[photo], known));
        foreach (var photo in taken.Keys) Update(distances, rows, photo);
        var diverse = (int)Math.Round(DiverseShare * count);
        for (var most = Math.Min(taken.Count + diverse, count); taken.Count < most;)
        {
            cancellation.ThrowIfCancellationRequested();
            var next = Enumerable.Range(0, rows.Length).Where(photo => !taken.ContainsKey(photo)).MaxBy(photo => distances[photo]);
            taken[next] = QueueReason.Diverse;
            Update(distances, rows, next);
        }

        int[] unsure = [.. Enumerable.Range(0, rows.Length).Where(photo => !taken.ContainsKey(photo)).OrderBy(photo => Margin(probabilities[photo]))
            .Take(Candidates * Math.Max(1, count - taken.Count))];
        foreach (var photo in Medoids(unsure, rows, count - taken.Count)) taken[photo] = QueueReason.Unsure;
        // A cluster that came to be empty leaves a place.
        foreach (var photo in unsure.Where(photo => !taken.ContainsKey(photo)).Take(count - taken.Count).ToList()) taken[photo] = QueueReason.Unsure;
        return Batched(taken, rows);
    }

    /// <summary>One photo of each of so many clusters (k-means of directions): the nearest to its center.</summary>
    private static List<int> Medoids(int[] among, float[][] rows, int clusters)
    {
        if (among.Length <= clusters) return [.. among];
        var length = rows[0].Length;
        // Begins with photos evenly spread over the order of unsureness, which is the same each time.
        float[][] centers = [.. Enumerable.Range(0, clusters).Select(cluster => rows[among[(int)((long)cluster * among.Length / clusters)]])];
        var own = new int[among.Length];
        for (var step = 0; step < 10; step++)
        {
            Parallel.For(0, among.Length, place => own[place] = Enumerable.Range(0, clusters).MaxBy(cluster => TensorPrimitives.Dot<float>(rows[among[place]], centers[cluster])));
            for (var cluster = 0; cluster < clusters; cluster++)
            {
                var sum = new float[length];
                for (var place = 0; place < among.Length; place++) if (own[place] == cluster) TensorPrimitives.Add<float>(sum, rows[among[place]], sum);
                if (TensorPrimitives.Norm<float>(sum) > 0) centers[cluster] = Direction(sum);
            }
        }
        return [.. Enumerable.Range(0, among.Length).GroupBy(place => own[place]).Select(group => among[group.MaxBy(place => TensorPrimitives.Dot<float>(rows[among[place]], centers[group.Key]))])];
    }

    /// <summary>The difference of the two largest probabilities.</summary>
    internal static double Margin(IReadOnlyList<float> row)
    {
        var (first, second) = (0f, 0f);
        foreach (var value in row)
        {
            if (value > first) (first, second) = (value, first);
            else if (value > second) second = value;
        }
        return first - second;
    }

    /// <summary>Photos that look most alike get one number, up to eight of them.</summary>
    private static List<QueuedPhoto> Batched(Dictionary<int, QueueReason> taken, float[][] rows)
    {
        const int most = 8;
        var open = taken.Keys.ToList();
        List<QueuedPhoto> queue = [];
        for (var batch = 1; open.Count > 0; batch++)
        {
            var first = open[0];
            foreach (var photo in open.OrderByDescending(photo => TensorPrimitives.Dot<float>(rows[first], rows[photo])).Take(most).ToList())
            {
                queue.Add(new(photo, taken[photo], batch));
                open.Remove(photo);
            }
        }
        return queue;
    }

    private static float[] Direction(float[] row)
    {
        var direction = new float[row.Length];
        var norm = TensorPrimitives.Norm<float>(row);
        if (norm > 0) TensorPrimitives.Divide(row, norm, direction);
        return direction;
    }

    /// <summary>1 − cosine to the nearest; 2, the largest, where there is none.</summary>
    private static float Nearest(float[] row, float[][] others)
    {
        var least = 2f;
        foreach (var other in others) least = Math.Min(least, 1 - TensorPrimitives.Dot<float>(row, other));
        return least;
    }

    private static void Update(float[] distances, float[][] rows, int added)
    {
        for (var photo = 0; photo < rows.Length; photo++) distances[photo] = Math.Min(distances[photo], 1 - TensorPrimitives.Dot<float>(rows[photo], rows[added]));
    }
}
