using Graft.Unlabeled;

namespace Graft.Tests.Unlabeled;

public class ActiveSelectionTests
{
    /// <summary>Photos on a circle: those of numbers 0 to 49 in one direction, the others spread out; the model hesitates only about 10 to 19.</summary>
    private static (float[][] Rows, float[][] Probabilities) Photos()
    {
        float[][] rows = [.. Enumerable.Range(0, 100).Select(photo => photo < 50 ? 0.001 * photo : 0.06 * (photo - 49)).Select(angle => (float[])[(float)Math.Cos(angle), (float)Math.Sin(angle)])];
        float[][] probabilities = [.. Enumerable.Range(0, 100).Select(photo => photo is >= 10 and < 20 ? (float[])[0.52f, 0.48f] : [0.99f, 0.01f])];
        return (rows, probabilities);
    }

    [Fact]
    public void Queue_mixes_unsure_diverse_and_random_photos_without_repeating_any()
    {
        var (rows, probabilities) = Photos();

        var queue = new ActiveSelection { Count = 20 }.Next(rows, probabilities, labeled: [rows[0]], cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(20, queue.Select(photo => photo.Photo).Distinct().Count());
        Assert.Equal(2, queue.Count(photo => photo.Reason == QueueReason.Random));
        Assert.Equal(2, queue.Count(photo => photo.Reason == QueueReason.Diverse));
        Assert.All(queue.Where(photo => photo.Reason == QueueReason.Diverse), photo => Assert.InRange(photo.Photo, 50, 99));
        Assert.Contains(queue, photo => photo.Photo is >= 10 and < 20 && photo.Reason == QueueReason.Unsure);
    }

    [Fact]
    public void Random_photos_do_not_depend_on_what_the_model_says()
    {
        var (rows, probabilities) = Photos();
        int[] Drawn(float[][] says) =>
            [.. new ActiveSelection { Count = 30 }.Next(rows, says, [], cancellation: TestContext.Current.CancellationToken).Where(photo => photo.Reason == QueueReason.Random).Select(photo => photo.Photo).Order()];

        Assert.Equal(Drawn(probabilities), Drawn([.. probabilities.Reverse()]));
    }

    [Fact]
    public void Fewer_photos_than_asked_for_are_all_of_them()
    {
        var (rows, probabilities) = Photos();
        Assert.Equal(3, new ActiveSelection().Next(rows[..3], probabilities[..3], [], cancellation: TestContext.Current.CancellationToken).Count);
        Assert.Empty(new ActiveSelection().Next([], [], [], cancellation: TestContext.Current.CancellationToken));
    }
}
