using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

public class ScalarsTests
{
    [Fact]
    public void Formulas_give_what_the_operators_give()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (tensor([1.5, -2, 0.1]), tensor([3.0, 4, -0.7]));

        Assert.Equal((a + b).data<double>().ToArray(), a.Plus(b).data<double>().ToArray());
        Assert.Equal((a + 0.3).data<double>().ToArray(), a.Plus(0.3).data<double>().ToArray());
        Assert.Equal((a * 3).data<double>().ToArray(), (a * Number(3)).data<double>().ToArray());
        Assert.Equal(a.square().data<double>().ToArray(), a.Squared().data<double>().ToArray());
        Assert.Equal((a + b + 2).data<double>().ToArray(), a.clone().Increase(b).Increase(2).data<double>().ToArray());
        Assert.Equal(3, tensor([1L, 2]).sum().Whole());
        Assert.Equal(0.5, tensor([0.25f, 0.75f]).mean().Value());
        Assert.True(tensor([true, false]).any().IsTrue());
    }

    [Fact]
    public async Task Numbers_stay_whole_under_collections()
    {
        using var done = new CancellationTokenSource();
        var collecting = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        }, TestContext.Current.CancellationToken);
        try
        {
            using var hundred = ones(100);
            for (var i = 0; i < 20_000; i++)
            {
                using var scope = NewDisposeScope();
                Assert.Equal(300.0, hundred.Plus(hundred).Plus(1).sum().Value());
            }
        }
        finally
        {
            await done.CancelAsync();
            await collecting;
        }
    }

    [Fact]
    public void A_number_is_disposed_of_when_it_is_long_past()
    {
        var number = Number(2);
        for (var i = 0; i < 64; i++) Number(i);

        Assert.Throws<InvalidOperationException>(() => number.Type);
    }
}
