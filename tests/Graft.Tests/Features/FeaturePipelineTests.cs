using Graft.Features;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Tests.Features;

public class FeaturePipelineTests
{
    private static IEnumerable<PhotoViews> Jobs(FeatureScene scene, int count) =>
        scene.Photos(count).Select((photo, index) => new PhotoViews(index, photo.Path, [0]));

    [Fact]
    public void Failure_of_the_network_reaches_the_caller_and_ends_all_threads()
    {
        using var scene = new FeatureScene();
        using var network = new Scripted(call => call < 20 ? [call] : throw new InvalidOperationException("broken"));

        var problem = Assert.Throws<InvalidOperationException>(() =>
            new FeaturePipeline(network, Preprocessing.UnitRange(8)).Run(Jobs(scene, 60), TestContext.Current.CancellationToken).Count());

        Assert.Equal("broken", problem.Message);
        var calls = network.Calls;
        Thread.Sleep(50);
        Assert.Equal(calls, network.Calls);
    }

    [Fact]
    public void Leaving_early_ends_all_threads()
    {
        using var scene = new FeatureScene();
        using var network = new Scripted(call => [call]);

        var first = new FeaturePipeline(network, Preprocessing.UnitRange(8)).Run(Jobs(scene, 400), TestContext.Current.CancellationToken).First();

        Assert.NotEmpty(first.Features);
        var calls = network.Calls;
        Thread.Sleep(50);
        Assert.Equal(calls, network.Calls);
        Assert.InRange(calls, 1, 399);
    }

    [Fact]
    public void Slow_caller_is_not_run_away_from()
    {
        using var scene = new FeatureScene();
        using var network = new Scripted(call => [call]);
        using var results = new FeaturePipeline(network, Preprocessing.UnitRange(8))
            .Run(Jobs(scene, 600), TestContext.Current.CancellationToken).GetEnumerator();

        results.MoveNext();
        Thread.Sleep(1500);

        Assert.InRange(network.Calls, 1, 400);
    }

    /// <summary>A network that does as a test says, told the number of the call.</summary>
    private sealed class Scripted(Func<int, float[]> run) : FrozenNetwork
    {
        private int _calls;

        public int Calls => _calls;

        protected override float[] Compute(float[] image) => run(Interlocked.Increment(ref _calls));

        protected override void Dispose(bool disposing)
        {
        }
    }
}
