using Graft.Data;

namespace Graft.Tests.Data;

public class StratifiedSplitTests
{
    private static int[] Labels(params int[] sizes) =>
        [.. sizes.SelectMany((size, label) => Enumerable.Repeat(label, size))];

    private static int[] HeldOutSizes(int[] sizes, double fraction)
    {
        var labels = Labels(sizes);
        var (_, heldOut) = StratifiedSplit.Of(labels, fraction, seed: 1);
        return [.. sizes.Select((_, label) => heldOut.Count(index => labels[index] == label))];
    }

    [Theory]
    [InlineData(new[] { 10, 20, 30 }, 0.2, new[] { 2, 4, 6 })]
    [InlineData(new[] { 12, 12, 12 }, 0.2, new[] { 3, 2, 2 })] // 7.2 of 36 in all; equal remainders go in class order
    [InlineData(new[] { 13, 14, 13 }, 0.2, new[] { 3, 3, 2 })] // 8 of 40: the remainders are .6, .8 and .6
    [InlineData(new[] { 2, 3, 100 }, 0.1, new[] { 1, 1, 10 })] // every class with two or more validates
    [InlineData(new[] { 1, 2, 50 }, 0.9, new[] { 0, 1, 46 })] // and every class trains: 47.7 of 53
    [InlineData(new[] { 0, 100 }, 0.29, new[] { 0, 29 })] // 100 * 0.29 is 28.999999999999996
    [InlineData(new[] { 5, 5 }, 0.0, new[] { 0, 0 })]
    public void Shares_follow_the_largest_remainder_within_bounds(int[] sizes, double fraction, int[] expected) =>
        Assert.Equal(expected, HeldOutSizes(sizes, fraction));

    [Fact]
    public void Both_sides_together_are_everything_in_order()
    {
        var (kept, heldOut) = StratifiedSplit.Of(Labels(31, 17, 5), 0.3, seed: 7);

        Assert.Equal(Enumerable.Range(0, 53), kept.Concat(heldOut).Order());
        Assert.Equal(kept.Order(), kept);
        Assert.Equal(heldOut.Order(), heldOut);
    }

    [Fact]
    public void Sets_stay_on_one_side_and_shares_stay_as_they_were()
    {
        var labels = Labels(30, 40, 10);
        var (plainKept, plainHeldOut) = StratifiedSplit.Of(labels, 0.2, seed: 3);
        // Of each class some from both sides, one set through two classes, and one that was together anyway.
        int[] Of(int[] side, int label, int skip, int count) => [.. side.Where(item => labels[item] == label).Skip(skip).Take(count)];
        int[][] together =
        [
            [.. Of(plainKept, 0, 0, 2), .. Of(plainHeldOut, 0, 0, 1)], [.. Of(plainKept, 1, 0, 1), .. Of(plainHeldOut, 1, 0, 3)],
            [.. Of(plainKept, 1, 5, 1), .. Of(plainHeldOut, 2, 0, 1)], Of(plainKept, 0, 4, 3),
        ];

        var (kept, heldOut) = StratifiedSplit.Of(labels, 0.2, seed: 3, together);

        Assert.All(together, set => Assert.True(set.All(kept.Contains) || set.All(heldOut.Contains)));
        Assert.True(together[1].All(heldOut.Contains));
        Assert.Equal(Enumerable.Range(0, 80), kept.Concat(heldOut).Order());
        Assert.Equal(
            plainHeldOut.CountBy(item => labels[item]).OrderBy(count => count.Key),
            heldOut.CountBy(item => labels[item]).OrderBy(count => count.Key));
        Assert.True(heldOut.Except(plainHeldOut).Count() <= 5);
        var same = StratifiedSplit.Of(labels, 0.2, seed: 3, [together[3]]);
        Assert.Equal(plainKept, same.Kept);
        Assert.Equal(plainHeldOut, same.HeldOut);
    }

    // Worked out from the definition by a second implementation, in Python: no machine may differ.
    [Fact]
    public void A_seed_means_the_same_split_for_ever()
    {
        Assert.Equal([3, 6, 11, 14, 22, 26], StratifiedSplit.Of(Labels(20, 10), 0.2, seed: 1).HeldOut);
        Assert.Equal([7, 8, 9, 17, 21, 25], StratifiedSplit.Of(Labels(20, 10), 0.2, seed: -5).HeldOut);
    }

    [Fact]
    public void A_photo_more_in_one_class_leaves_the_others_alone()
    {
        var labels = Labels(20, 20);
        var more = Labels(25, 20);

        Assert.Equal(
            StratifiedSplit.Of(labels, 0.2, 3).HeldOut.Where(index => index >= 20).Select(index => index - 20),
            StratifiedSplit.Of(more, 0.2, 3).HeldOut.Where(index => index >= 25).Select(index => index - 25));
    }

    [Fact]
    public void Every_item_is_held_out_about_equally_often()
    {
        var counts = new int[20];
        for (var seed = 0; seed < 4000; seed++)
            foreach (var index in StratifiedSplit.Of(Labels(10, 10), 0.2, seed).HeldOut) counts[index]++;

        Assert.All(counts, count => Assert.InRange(count, 700, 900)); // 800 expected, standard deviation 25
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.0)]
    [InlineData(double.NaN)]
    public void A_fraction_outside_0_to_1_is_refused(double fraction) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => StratifiedSplit.Of([0, 1], fraction, 1));

    // The first numbers for seed 1234567, as published with the generator's reference implementation.
    [Fact]
    public void SplitMix64_gives_the_published_numbers()
    {
        var random = new SplitMix64(1234567);
        Assert.Equal(
            [6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL, 4593380528125082431UL],
            Enumerable.Range(0, 4).Select(_ => random.Next()).ToArray());
    }
}
