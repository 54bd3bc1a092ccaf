using Graft.Training;

namespace Graft.Tests.Training;

public class LearningRateScheduleTests
{
    [Fact]
    public void Cosine_falls_from_the_whole_rate_to_its_final_share()
    {
        var cosine = new LearningRateSchedule.Cosine(FinalShare: 0.2);

        Assert.Equal([1, 0.6, 0.2], new[] { 0, 0.5, 1 }.Select(progress => Math.Round(cosine.ShareAt(progress, 0), 12)));
    }

    [Fact]
    public void One_cycle_rises_to_the_whole_rate_and_falls_to_nearly_nothing()
    {
        var cycle = new LearningRateSchedule.OneCycle();

        Assert.Equal([0.04, 0.52, 1, 0.500002, 0.000004], new[] { 0, 0.15, 0.3, 0.65, 1 }.Select(progress => Math.Round(cycle.ShareAt(progress, 0), 9)));
    }

    [Fact]
    public void Exponential_rises_by_the_same_factor_in_each_step() => Assert.Equal(
        [1e-4, 1e-2, 1, 1], new[] { 0, 0.25, 0.5, 1 }.Select(progress => Math.Round(new LearningRateSchedule.Exponential(1e-4, 0.5).ShareAt(progress, 0), 12)));

    [Fact]
    public void Stepwise_falls_every_so_many_epochs() => Assert.Equal(
        [1, 1, 0.5, 0.25], new[] { 0, 2.9, 3, 6 }.Select(epoch => new LearningRateSchedule.Stepwise(3, 0.5).ShareAt(0, epoch)));

    /// <summary>Keras's ReduceLROnPlateau with factor 0.5, patience 2, min_delta 0.1 and cooldown 1, worked out by hand.</summary>
    [Fact]
    public void Plateau_lowers_the_rate_as_Keras_does()
    {
        var options = new LearningRateSchedule.ReduceOnPlateau(Factor: 0.5, Patience: 2, MinDelta: 0.1, Cooldown: 1, MinLearningRate: 0.3);
        var plateau = Plateau.Start;

        var shares = new[] { 1.0, 0.95, 0.94, 0.93, 0.92, 0.91, 0.5, 0.49, 0.48 }.Select(loss => (plateau = plateau.After(loss, options, 1)).Share).ToArray();

        // Two epochs without a gain of 0.1 halve it; one of cooldown counts, as in Keras, only while it lasts; 0.25 would be too low.
        Assert.Equal([1, 1, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3], shares);
    }

    [Fact]
    public void Problems_are_told() => Assert.All(
        (LearningRateSchedule[])
        [
            new LearningRateSchedule.Cosine(2), new LearningRateSchedule.OneCycle(Rise: -1), new LearningRateSchedule.Stepwise(0),
            new LearningRateSchedule.ReduceOnPlateau(Factor: 1), new LearningRateSchedule.ReduceOnPlateau(Patience: 0),
            new LearningRateSchedule.Exponential(0), new LearningRateSchedule.Exponential(Rise: 2),
        ],
        schedule => Assert.NotEmpty(new TrainingOptions { Schedule = schedule }.Problems()));
}
