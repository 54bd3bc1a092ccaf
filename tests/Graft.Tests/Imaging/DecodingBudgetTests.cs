using Graft.Imaging;
using SkiaSharp;

namespace Graft.Tests.Imaging;

public class DecodingBudgetTests
{
    [Fact]
    public void Threads_together_take_no_more_than_the_budget()
    {
        var budget = new DecodingBudget(100);
        long most = 0;
        using var all = new Barrier(8);
        Each(8, index =>
        {
            all.SignalAndWait();
            for (var i = 0; i < 200; i++)
            {
                var wanted = 10 + 7 * ((index + i) % 5);
                budget.Take(wanted);
                InterlockedMax(ref most, budget.UsedBytes);
                Thread.Yield();
                budget.Return(wanted);
            }
        });
        Assert.InRange(most, 39, 100);
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public void A_picture_larger_than_the_budget_waits_until_it_is_alone()
    {
        var budget = new DecodingBudget(100);
        budget.Take(10);
        var large = new Thread(() =>
        {
            budget.Take(500);
            budget.Return(500);
        });
        large.Start();
        Assert.False(large.Join(50));
        // Whoever comes later waits behind it, or it would wait for ever.
        var late = new Thread(() =>
        {
            budget.Take(1);
            budget.Return(1);
        });
        late.Start();
        Assert.False(late.Join(50));
        budget.Return(10);
        Assert.True(large.Join(10_000));
        Assert.True(late.Join(10_000));
    }

    [Fact]
    public void A_thread_does_not_wait_for_itself()
    {
        var budget = new DecodingBudget(100);
        budget.Take(80);
        budget.Take(80);
        Assert.Equal(160, budget.UsedBytes);
        budget.Return(80);
        budget.Return(80);
    }

    [Fact]
    public void A_dropped_picture_is_collected_before_the_next_does_not_fit()
    {
        var budget = new DecodingBudget(100);
        budget.Take(60);
        // One that came while the picture was in use says nothing of it.
        GC.Collect();
        budget.Return(60, dropped: 60);
        var before = GC.CollectionCount(2);
        budget.Take(60);
        Assert.True(GC.CollectionCount(2) > before);
        budget.Return(60);
    }

    [Fact]
    public void A_picture_counts_as_long_as_it_is_used()
    {
        var file = TestImages.Encode(TestImages.Noise(300, 200, seed: 1), SKEncodedImageFormat.Png);
        // Other tests decode meanwhile: what counts at least is this picture's.
        Assert.InRange(ImageDecoder.Decode(file, _ => DecodingBudget.Process.UsedBytes), 3 * 300 * 200, long.MaxValue);
        Assert.Equal(
            ImageDecoder.Decode(file).Pixels.Take(9),
            ImageDecoder.Decode(file, image => image.Pixels.Take(9).ToArray()));
    }

    [Fact]
    public void An_error_gives_the_memory_back()
    {
        var file = TestImages.Encode(new RgbImage(2000, 2000, new byte[12_000_000]), SKEncodedImageFormat.Png);
        // 30 times 28 MB: more than the budget, were it not given back.
        for (var i = 0; i < 30; i++)
            Assert.Throws<FormatException>(() => ImageDecoder.Decode<int>(file, _ => throw new FormatException()));
        var other = new Thread(() => ImageDecoder.Decode(file)) { IsBackground = true };
        other.Start();
        Assert.True(other.Join(10_000));
    }

    private static void Each(int threads, Action<int> work)
    {
        Thread[] all = [.. Enumerable.Range(0, threads).Select(index => new Thread(() => work(index)))];
        foreach (var thread in all) thread.Start();
        foreach (var thread in all) thread.Join();
    }

    private static void InterlockedMax(ref long most, long value)
    {
        for (var seen = Volatile.Read(ref most); seen < value;)
            seen = Interlocked.CompareExchange(ref most, value, seen) is var found && found == seen ? value : found;
    }
}
