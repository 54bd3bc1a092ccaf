using Graft.Data;
using Graft.Unlabeled;

namespace Graft.Tests.Unlabeled;

public class PrecisionThresholdsTests
{
    [Fact]
    public void Threshold_is_the_lowest_that_the_photos_of_the_class_show()
    {
        // Of class 0 the surest 160 are right, of the 40 below them every second is wrong; class 1 has too few; class 2 is always right.
        List<(int Class, double Probability)> predicted = [];
        List<int> labels = [];
        for (var photo = 0; photo < 200; photo++)
        {
            predicted.Add((0, 1 - photo / 400.0));
            labels.Add(photo >= 160 && photo % 2 == 0 ? 1 : 0);
        }
        for (var photo = 0; photo < 20; photo++) (_, _) = (Add(1, 0.9, 1), 0);
        for (var photo = 0; photo < 100; photo++) Add(2, 0.6, 2);

        var thresholds = PrecisionThresholds.Of(predicted, labels, 3, precision: 0.95);

        Assert.Equal(1 - 159 / 400.0, thresholds[0].Threshold);
        Assert.Equal((160, 160, 200), (thresholds[0].Count, thresholds[0].Correct, thresholds[0].Named));
        Assert.Null(thresholds[1].Threshold);
        Assert.Equal(0.6, thresholds[2].Threshold);

        int Add(int named, double probability, int label)
        {
            predicted.Add((named, probability));
            labels.Add(label);
            return label;
        }
    }

    /// <summary>Of 200 draws of 300 photos whose probabilities are true ones, the labels that are given fall short of the promise in few.</summary>
    [Fact]
    public void Promise_is_kept_in_nine_of_ten_draws()
    {
        var random = new SplitMix64(1);
        var (broken, given) = (0, 0);
        for (var draw = 0; draw < 200; draw++)
        {
            var photos = Enumerable.Range(0, 300).Select(_ => 1 - 0.3 * random.NextDouble() * random.NextDouble()).ToArray();
            var threshold = PrecisionThresholds.Of(
                [.. photos.Select(probability => (0, probability))], [.. photos.Select(probability => random.NextDouble() < probability ? 0 : 1)], 2, precision: 0.95)[0].Threshold;
            if (threshold is not { } least) continue;
            given++;
            // The true precision above the threshold.
            var above = Enumerable.Range(0, 20_000).Select(_ => 1 - 0.3 * random.NextDouble() * random.NextDouble()).Where(probability => probability >= least).ToList();
            if (above.Average() < 0.95) broken++;
        }
        Assert.InRange(given, 100, 200);
        Assert.InRange((double)broken / given, 0, 0.1);
    }
}
